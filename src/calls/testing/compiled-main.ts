import type { CallRequest } from "../call.ts";
import { executeCall } from "../execute.ts";
import { testContext } from "./context.ts";

// One call, given as JSON beside the text of its external resource.
const { request, resource } = JSON.parse(process.argv[2]!) as { request: CallRequest; resource: string };
const context = testContext({ readResource: async () => Buffer.from(resource) });
process.stdout.write(JSON.stringify(await executeCall(request, context)));
