import { Type } from "@sinclair/typebox";
import { LIMITS } from "../../base/limits.ts";
import { Admission } from "../../protocol/admission.ts";
import { Sha256 } from "../../protocol/common.ts";
import { enrolRunner } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";
import { tenantOf } from "../tokens/view.ts";

export const enrollRunner = defineOperation({
  name: "runner.enroll",
  scope: "admin",
  summary: "Approve a runner before it comes; of its token only the digest is told",
  method: "POST",
  path: "/admin/runners",
  status: 201,
  input: closed({
    /** Its tenant is the caller's own, unless the caller is on this host. */
    admission: Admission,
    token_sha256: Sha256,
    valid_hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 720 })),
  }),
  output: closed({ runner_id: Text, quarantined: Type.Boolean() }),
  async run(context, input) {
    const now = context.clock.wall();
    const valid = input.valid_hours === undefined ? LIMITS.enrolmentMs : input.valid_hours * 3_600_000;
    const { quarantined } = await context.records.write(enrolRunner, {
      admission: { ...input.admission, tenantId: tenantOf(context, input.admission.tenantId) },
      credential: { enrolmentHash: input.token_sha256, expiresAt: now + valid },
      actor: context.principal.subject,
      now,
    });
    return { runner_id: input.admission.runnerId, quarantined };
  },
});
