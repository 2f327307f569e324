import { expect, test } from "bun:test";
import {
  documentOf,
  enrol,
  hands,
  type Plane,
  plane,
  publish,
  register,
  registration,
  runner,
  shell,
} from "../../test/support/control-plane.ts";
import type { JsonObject } from "../base/json.ts";
import type { RegistrationAccepted } from "../protocol/index.ts";
import { revokePolicyObject } from "../store/index.ts";

/** Which runner a task may go to: each demand with a runner that lacks it, one that only claims it, and one that has it. */

/** A run of one command whose document asks for this of its runner. */
function startWith(p: Plane, runId: string, asked: JsonObject) {
  const { executionProfile, ...task } = asked;
  const about: JsonObject =
    executionProfile === undefined ? {} : { metadata: { lightWorkflow: { runner: { executionProfile } } } };
  return p.startDocument(runId, documentOf([{ work: shell({ runner: task }) }], about));
}

/** A runner that says more of itself than was approved. */
async function boaster(p: Plane, more: JsonObject) {
  const token = await enrol(p, "boaster");
  const session = (await register(p, registration("boaster", more), token))
    .body as unknown as RegistrationAccepted;
  return await hands(p, "boaster", session).claim();
}

const PROFILE = {
  id: "build",
  policy: {
    sandboxMode: "none",
    boundary: "process",
    approvalRequired: false,
    directCommands: true,
    allow: {
      runnerPools: ["default", "release", "foreign"],
      capabilities: ["git"],
      executables: ["/"],
      commandTemplates: ["*"],
    },
  },
};
const ON_BUILD = { executionProfiles: ["default", "build"] };
const TEMPLATE = {
  id: "say",
  command: "true",
  executable: "/usr/bin/printf",
  fixedArguments: ["%s", "said"],
};
const SAY = { commandTemplateId: "say" };

const DEMANDS: readonly (readonly [string, JsonObject, JsonObject])[] = [
  [
    "RN-81: the pool",
    { runnerPool: "release", executionProfile: "build" },
    { runnerPools: ["release"], ...ON_BUILD },
  ],
  ["RN-82: the execution profile", { executionProfile: "build" }, ON_BUILD],
  ["RN-83: the capability", { capabilities: ["docker"] }, { capabilities: ["docker"] }],
];
for (const [what, asked, more] of DEMANDS) {
  test(`${what} of a task is one that its runner registered, and was approved for`, async () => {
    const p = await plane();
    await publish(p, "pool", "release", { id: "release" });
    await publish(p, "profile", "build", PROFILE);
    await startWith(p, "one", asked);
    expect((await (await runner(p, "other")).claim()).status).toBe(204);
    expect((await boaster(p, more)).status).toBe(204);
    const { lease } = await (await runner(p, "fitting", "default", ["default"], {}, more)).claim();
    expect(lease).toMatchObject({ taskId: "work", ...asked });
  });
}

test("RN-8: a pool is of the tenants that it names, and a runner in the network zone that was approved for it", async () => {
  const p = await plane();
  await publish(p, "profile", "build", PROFILE);
  await publish(p, "pool", "release", { id: "release", tenants: ["default"] });
  await publish(p, "pool", "foreign", { id: "foreign", tenants: ["another"] });
  expect(startWith(p, "refused", { runnerPool: "foreign", executionProfile: "build" })).rejects.toThrow(
    "the pool foreign is not for tenant default",
  );
  await startWith(p, "one", { runnerPool: "release", executionProfile: "build" });

  const inZone = async (runnerId: string, tenantId: string, approved: string, said: string) => {
    const runnerPools = ["release"];
    const token = await enrol(p, runnerId, tenantId, ["build"], { runnerPools, networkZone: approved });
    const about = registration(runnerId, {
      tenantId,
      runnerPools,
      executionProfiles: ["build"],
      networkZone: said,
    });
    const answer = await register(p, about, token);
    if (answer.status !== 200) return answer;
    return await hands(p, runnerId, answer.body as unknown as RegistrationAccepted).claim();
  };
  expect((await inZone("elsewhere", "default", "inner", "outer")).status).toBe(403);
  // A pool of the same name of another tenant is another pool.
  expect((await inZone("stranger", "another", "inner", "inner")).status).toBe(204);
  expect((await inZone("inside", "default", "inner", "inner")).body).toMatchObject({ taskId: "work" });
});

test("RN-76, RN-84: a command template is on the list of policy, approved at the start, and not taken back before the lease", async () => {
  const p = await plane();
  const refused = (run: string, asked: JsonObject) =>
    startWith(p, run, asked).then(
      () => "started",
      (error: Error) => error.message,
    );
  expect(await refused("unknown", SAY)).toContain("there is no template say");
  await publish(p, "template", "say", TEMPLATE);
  const r = await runner(p, "r1", "default", ["default", "build"]);
  await startWith(p, "good", SAY);
  const { lease } = await r.claim();
  expect(lease).toMatchObject({
    commandTemplateId: "say",
    commandTemplateDigest: expect.stringMatching(/^sha256:/),
    task: { command: "/usr/bin/printf", arguments: ["%s", "said"] },
  });

  // A profile whose list does not name it.
  const { policy } = PROFILE;
  const allow = { ...policy.allow, commandTemplates: ["another"] };
  await publish(p, "profile", "build", { id: "build", policy: { ...policy, allow } });
  expect(await refused("unlisted", { ...SAY, executionProfile: "build" })).toContain(
    "allow.commandTemplates say, which profile build@1 does not allow",
  );

  await startWith(p, "waiting", SAY);
  await p.store.write(revokePolicyObject, {
    kind: "template",
    id: "say",
    version: null,
    reason: "it says too much",
    actor: "user:1",
    tenantId: "default",
    now: p.clock.wall(),
  });
  expect((await r.claim()).status).toBe(204);
  expect(await refused("revoked", SAY)).toContain("template say");
});
