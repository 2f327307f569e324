import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  apiTarget,
  type CortexPlace,
  jobPaths,
  probeCortex,
  readJob,
  responseOf,
  submit,
  submitJob,
  threadTarget,
  toolTarget,
  waitForOutcome,
} from "../../src/cortex/index.ts";
import { type Kind, notRun, Served } from "./support.ts";

const kinds: Kind[] = notRun() === undefined ? ["mount", "directory"] : ["directory"];

for (const kind of kinds) {
  describe(`LightFlow's client on the ${kind}`, () => {
    let served: Served;
    let place: CortexPlace;

    beforeAll(async () => {
      served = await Served.start(kind);
      place = { mount: served.root, uid: process.getuid!() };
    });
    afterAll(() => served.stop());

    test("finds the filesystem and its ABI", async () => {
      expect(await probeCortex(place)).toEqual({
        available: true,
        status: "ready",
        abi: "cortexfs.design.v0",
        version: "0.1.0",
      });
    });

    test("commits a request without a model and reads answer, fingerprint and route", async () => {
      const target = apiTarget(place, "openai.chat", "step-001");
      await submit(target, '{"messages":[{"role":"user","content":"from LightFlow"}]}');
      const outcome = await waitForOutcome(target);
      expect(outcome).toMatchObject({ state: "succeeded", route: { provider_id: "demo", model_id: "demo" } });
      expect(outcome.fingerprint).toMatch(/^fnv1a64:[0-9a-f]{16}$/);
      expect(responseOf(target, outcome)).toMatchObject({
        choices: [{ message: { content: "You said: from LightFlow" } }],
      });
    });

    test("makes a thread by its first request, and hears of a denied tool", async () => {
      const thread = threadTarget(place, "notes", "step-002");
      await submit(thread, '{"content":"remember"}');
      expect((await waitForOutcome(thread)).state).toBe("succeeded");
      const tool = toolTarget(place, "shell.exec", "step-003");
      await submit(tool, '{"argv":["true"]}');
      const outcome = await waitForOutcome(tool);
      expect(() => responseOf(tool, outcome)).toThrow("policy does not allow shell.exec");
    });

    test("runs a job and reads its output and status", async () => {
      const job = jobPaths(place, "copy.it");
      await submitJob(job, "kind=copy\nfields=text\n", "the input\n");
      let outcome = await readJob(job);
      // Behind a mount it has run when the close returns; a watched directory needs a moment.
      while (kind === "directory" && outcome.status !== "done") {
        await Bun.sleep(5);
        outcome = await readJob(job);
      }
      const { output, status } = outcome;
      expect([status, JSON.parse(output ?? "{}")]).toEqual(["done", { text: "the input" }]);
    });

    if (kind === "mount") {
      test("tells why a commit is refused", async () => {
        const target = apiTarget(place, "openai.chat", "step-004");
        await expect(submit(target, "not json")).rejects.toMatchObject({ code: "invalid_request" });
        await expect(submit(target, '{"model":"no-such","messages":[]}')).rejects.toMatchObject({
          code: "forbidden",
          message:
            "policy or configuration refuses request step-004 (unsupported_model at provider demo: no provider offers the model that the request names)",
        });
      });
    }
  });
}
