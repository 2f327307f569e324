import type { CommandTemplate } from "../../policy/index.ts";
import type { PolicyLayer } from "../../protocol/policy.ts";
import { readPolicyObject } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";

/** A template against the programs that the service's policy lists. @throws Failure `template_denied` */
export async function checkPublishable(context: ServiceContext, template: CommandTemplate): Promise<void> {
  const { checkTemplate } = await import("../../policy/index.ts");
  const service = context.views.read(readPolicyObject, { kind: "service-policy", id: "service" });
  const policy = service?.body["policy"] as PolicyLayer | undefined;
  checkTemplate(template, policy?.allow?.executables);
}
