import { afterAll, expect, test } from "bun:test";
import { digestOf } from "../base/canonical.ts";
import { systemClock } from "../base/clock.ts";
import type { JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import { allowAll, denyPrivate } from "../calls/index.ts";
import { callContexts } from "./call-options.ts";
import { linkDocument } from "./link.ts";

const FILES: Record<string, string> = {
  "/double.yaml":
    "input: { schema: { resource: { endpoint: BASE/number.json } } }\nset: { n: '${ .n * 2 }' }\n",
  "/number.json": '{"type":"object","properties":{"n":{"type":"number"}}}',
  "/broken.json": '{"type":"nothing"}',
  "/circle.yaml": "call: BASE/circle.yaml?again\n",
  "/functions/greet/1.0.0/function.yaml": "set: { hello: '${ .name }' }\n",
  "/script.py": "print('hi')\n",
};
const server = Bun.serve({
  port: 0,
  fetch(request) {
    const { pathname, origin, search } = new URL(request.url);
    const text = FILES[pathname]
      ?.replaceAll("BASE", origin)
      .replace("?again", `?${Number(search.slice(1)) + 1}`);
    if (request.headers.get("authorization") === null && pathname === "/script.py")
      return new Response(null, { status: 401 });
    return text === undefined ? new Response(null, { status: 404 }) : new Response(text);
  },
});
afterAll(() => server.stop(true));
const base = server.url.origin;

const made = (tasks: JsonObject[], more: JsonObject = {}): JsonObject => ({
  document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
  ...more,
  do: tasks,
});
function link(document: JsonObject, policy = allowAll) {
  const { readResource } = callContexts({ policy }, systemClock, silentLog)(new AbortController().signal);
  return linkDocument(document, digestOf(document), readResource);
}

test("a document that has all it needs is given back as it is", async () => {
  const document = made([{ a: { set: {} } }]);
  expect(await link(document)).toEqual({ document, digest: digestOf(document) });
});

test("a function from an address is fetched with the schema that it names, and the digest covers both", async () => {
  const call = `${base}/double.yaml`;
  const written = made([{ a: { call, with: { n: 4 } } }]);
  const before = JSON.stringify(written);
  const { document, digest } = await link(written);
  expect((document["use"] as JsonObject)["functions"]).toEqual({
    [call]: {
      input: { schema: { document: { type: "object", properties: { n: { type: "number" } } } } },
      set: { n: "${ .n * 2 }" },
    },
  });
  expect(digest).toBe(digestOf(document));
  expect(JSON.stringify(written)).toBe(before);
});

test("a catalog has its functions at their place below its address", async () => {
  const catalogs = { ours: { endpoint: base } };
  const { document } = await link(made([{ a: { call: "greet:1.0.0@ours" } }], { use: { catalogs } }));
  expect((document["use"] as JsonObject)["functions"]).toEqual({
    "greet:1.0.0@ours": { set: { hello: "${ .name }" } },
  });
});

test("the source of a script is fetched with the policy that its endpoint names", async () => {
  const endpoint = { uri: `${base}/script.py`, authentication: { use: "ours" } };
  const authentications = { ours: { basic: { username: "me", password: "swordfish" } } };
  const tasks = [{ a: { run: { script: { language: "python", source: { endpoint } } } } }];
  const { document } = await link(made(tasks, { use: { authentications } }));
  expect(document["do"]).toEqual([{ a: { run: { script: { language: "python", code: "print('hi')\n" } } } }]);
});

test("what cannot be fetched or is not what it should be says where, and goes nowhere it may not", async () => {
  const schema = (path: string) =>
    made([{ a: { input: { schema: { resource: { endpoint: path } } }, set: {} } }]);
  const refused = async (document: JsonObject, policy = allowAll) =>
    await link(document, policy).then(
      () => "",
      (error: Error) => error.message,
    );
  expect(await refused(schema(`${base}/missing.json`))).toContain("/do/0/a/input/schema: ");
  expect(await refused(schema(`${base}/broken.json`))).toContain("does not compile");
  expect(await refused(schema(`${base}/number.json`), denyPrivate)).toContain("/do/0/a/input/schema: ");
  expect(await refused(schema('${ "x" }'))).toContain("expression");
  const token = { uri: `${base}/number.json`, authentication: { bearer: { token: "${ $secrets.t }" } } };
  const guarded = made([{ a: { input: { schema: { resource: { endpoint: token } } }, set: {} } }]);
  expect(await refused(guarded)).toContain("expressions in its authentication");
  expect(await refused(made([{ a: { call: `${base}/circle.yaml` } }]))).toContain("more than 100");
});
