import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  apiTarget,
  cortexPlace,
  exchangeOnce,
  parseRoute,
  probeCortex,
  readOutcome,
  responseOf,
  submit,
  threadTarget,
  toolTarget,
  waitForOutcome,
} from "./index.ts";

let mount: string;
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), "cortex-client-"));
});
afterEach(() => rmSync(mount, { recursive: true }));

test("the place comes from the environment, and the uid is this process's own", () => {
  expect(cortexPlace({})).toEqual({ mount: "/ctx", uid: process.getuid!() });
  expect(cortexPlace({ LIGHTFLOW_CTX_MOUNT: "/m", LIGHTFLOW_CTX_UID: "12" })).toEqual({
    mount: "/m",
    uid: 12,
  });
  expect(() => cortexPlace({ LIGHTFLOW_CTX_UID: "me" })).toThrow(
    "invalid LIGHTFLOW_CTX_UID: me is not a uid",
  );
});

test("targets name the files of the contract", () => {
  const place = { mount: "/ctx", uid: 7 };
  expect(apiTarget(place, "openai.chat", "step-001")).toMatchObject({
    inbox_dir: "/ctx/home/7/api/openai.chat/inbox",
    staged_request: "/ctx/home/7/api/openai.chat/inbox/step-001.tmp",
    commit_request: "/ctx/home/7/api/openai.chat/inbox/step-001.req.json",
    response: "/ctx/home/7/api/openai.chat/outbox/step-001.resp.json",
    route_metadata: "/ctx/home/7/api/openai.chat/outbox/step-001.route.json",
  });
  expect(toolTarget(place, "t", "s").outbox_dir).toBe("/ctx/tool/t/invoke/outbox");
  expect(threadTarget(place, "t", "s")).toMatchObject({
    outbox_dir: "/ctx/home/7/thread/t/inbox",
    route_metadata: null,
  });
  for (const bad of ["", ".", "..", "a/b", "x.error", "x.resp.json"]) {
    expect(() => apiTarget(place, "openai.chat", bad)).toThrow(`invalid step_id path segment: ${bad}`);
  }
  expect(() => apiTarget(place, "openai", "s")).toThrow("invalid api_format UnsupportedValue: openai");
});

test("a commit leaves the body under its committed name and nothing staged", async () => {
  const target = apiTarget({ mount, uid: 7 }, "openai.chat", "s1");
  await submit(target, '{"messages":[]}');
  expect(readFileSync(target.commit_request, "utf8")).toBe('{"messages":[]}');
  expect((await readOutcome(target)).state).toBe("pending");
});

test("an outcome is the response, or else the error with its code", async () => {
  const target = apiTarget({ mount, uid: 7 }, "openai.chat", "s2");
  await submit(target, "{}");
  const waiting = waitForOutcome(target);
  rmSync(target.outbox_dir, { recursive: true, force: true });
  await Bun.write(target.fingerprint, "fnv1a64:0000000000000000\n");
  await Bun.write(target.route_metadata!, '{"provider":"p","model":" ","reason":"ready"}\n');
  writeFileSync(target.error, '{"request_id":"s2","error":"no answer","code":"unavailable"}\n');
  const outcome = await waiting;
  expect(outcome).toMatchObject({
    state: "failed",
    fingerprint: "fnv1a64:0000000000000000",
    route: { provider_id: "p", route_decision: "ready" },
  });
  expect(outcome.route?.model_id).toBeUndefined();
  expect(() => responseOf(target, outcome)).toThrow("no answer");
  writeFileSync(target.response, '{"id":"x"}\n');
  expect(responseOf(target, await readOutcome(target))).toEqual({ id: "x" });
});

test("a route that is not JSON is passed over", () => {
  expect(parseRoute("{")).toBeUndefined();
  expect(parseRoute("[]")).toBeUndefined();
});

test("no filesystem at the place is said so", async () => {
  const place = { mount: join(mount, "file"), uid: 7 };
  writeFileSync(place.mount, "");
  expect(await probeCortex(place)).toEqual({ available: false });
  await expect(submit(apiTarget(place, "openai.chat", "s"), "{}")).rejects.toMatchObject({
    code: "unavailable",
  });
});

test("an exchange where nothing is mounted is refused, and makes no directories to wait in", async () => {
  const empty = join(mount, "nothing");
  for (const target of [
    apiTarget({ mount: empty, uid: 7 }, "openai.chat", "s"),
    toolTarget({ mount: empty, uid: 7 }, "t", "s"),
  ]) {
    await expect(exchangeOnce(target, "{}", AbortSignal.timeout(5000))).rejects.toMatchObject({
      code: "unavailable",
      message: `no CortexFS serves ${empty}`,
    });
  }
  expect(existsSync(empty)).toBe(false);
});
