import { Type } from "@sinclair/typebox";
import { Sentence } from "../../protocol/common.ts";
import {
  approveRunner as approve,
  auditRunner as audit,
  drainRunner as drain,
  quarantineRunner as quarantine,
  releaseRunner as release,
} from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, Text } from "../shapes.ts";
import { operateOn, runnerInput } from "./view.ts";

export const approveRunner = defineOperation({
  name: "runners.approve",
  scope: "admin",
  summary: "What a runner reports is what is approved from now on; a suspicious session is active again",
  method: "POST",
  path: "/admin/runners/:runner_id/approve",
  input: closed(runnerInput),
  output: closed({ runner_id: Text, approved: AnyObject }),
  async run(context, input) {
    const { approved } = await context.records.write(approve, operateOn(context, input));
    return { runner_id: input.runner_id, approved };
  },
});

export const quarantineRunner = defineOperation({
  name: "runners.quarantine",
  scope: "admin",
  summary:
    "Take a runner out: its credentials are revoked, its leases ended by its policy; again changes nothing",
  method: "POST",
  path: "/admin/runners/:runner_id/quarantine",
  input: closed({ ...runnerInput, reason: Type.Optional(Sentence) }),
  output: closed({ runner_id: Text, changed: Type.Boolean() }),
  async run(context, input) {
    const reason = input.reason ?? "an operator said so";
    const changed = await context.records.write(quarantine, { ...operateOn(context, input), reason });
    return { runner_id: input.runner_id, changed };
  },
});

export const releaseRunner = defineOperation({
  name: "runners.release",
  scope: "admin",
  summary: "End a quarantine: the runner proves itself anew; again changes nothing",
  method: "POST",
  path: "/admin/runners/:runner_id/release",
  input: closed(runnerInput),
  output: closed({ runner_id: Text, changed: Type.Boolean() }),
  async run(context, input) {
    return {
      runner_id: input.runner_id,
      changed: await context.records.write(release, operateOn(context, input)),
    };
  },
});

export const drainRunner = defineOperation({
  name: "runners.drain",
  scope: "admin",
  summary: "Ask a runner to take no more; what it runs may end",
  method: "POST",
  path: "/admin/runners/:runner_id/drain",
  input: closed({ ...runnerInput, reason: Type.Optional(Sentence) }),
  output: closed({ runner_id: Text, state: Text }),
  async run(context, input) {
    const reason = input.reason ?? "an operator said so";
    const { state } = await context.records.write(drain, { ...operateOn(context, input), reason });
    return { runner_id: input.runner_id, state };
  },
});

export const auditRunner = defineOperation({
  name: "runners.audit",
  scope: "admin",
  summary: "Ask a runner to show what it runs with, now, and compare that with what was approved",
  method: "POST",
  path: "/admin/runners/:runner_id/audit",
  input: closed(runnerInput),
  output: closed({ runner_id: Text }),
  async run(context, input) {
    await context.records.write(audit, operateOn(context, input));
    return { runner_id: input.runner_id };
  },
});
