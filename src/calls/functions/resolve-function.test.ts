import { expect, test } from "bun:test";
import type { ResourceEndpoint } from "../call.ts";
import { rawAddress, resolveFunction } from "./resolve-function.ts";

const FUNCTION = `
input:
  schema:
    document: { type: object }
call: http
with:
  method: get
  endpoint: https://pets.test/{petId}
`;
const JSON_FUNCTION = JSON.stringify({ set: { a: 1 } });

const asked: ResourceEndpoint[] = [];
const files: Record<string, string> = {
  "https://one.test/f.yaml": FUNCTION,
  "https://one.test/f.json": JSON_FUNCTION,
  "https://catalog.test/root/functions/log/1.0.0/function.yaml": FUNCTION,
  "https://standard.test/functions/log/1.0.0/function.yaml": JSON_FUNCTION,
  "https://one.test/broken.yaml": "call: http\nwith: { method: get }\n",
  "https://one.test/list.yaml": "- a\n",
  "https://one.test/syntax.yaml": "a: [\n",
  "https://one.test/foreign.yaml": "call: somethingOfTheCaller\n",
};
const readResource = async (endpoint: ResourceEndpoint) => {
  asked.push(endpoint);
  const text = files[typeof endpoint === "string" ? endpoint : endpoint.uri];
  if (text === undefined) throw new Error("missing");
  return Buffer.from(text);
};
const sources = {
  mode: "strict",
  readResource,
  use: {
    functions: { mine: { set: { b: 2 } } },
    catalogs: {
      shared: {
        endpoint: { uri: "https://catalog.test/root/", authentication: { bearer: { token: "t" } } },
      },
    },
  },
  defaultCatalog: "https://standard.test",
} as const;

test("a function is found in the document, at an address, in a catalog, and in the default one", async () => {
  expect(await resolveFunction("mine", sources)).toMatchObject({ task: { set: { b: 2 } } });
  expect(await resolveFunction("https://one.test/f.yaml", sources)).toMatchObject({
    task: { call: "http", with: { endpoint: "https://pets.test/{petId}" } },
    uri: "https://one.test/f.yaml",
  });
  expect(await resolveFunction("https://one.test/f.json", sources)).toMatchObject({
    task: { set: { a: 1 } },
  });
  expect(await resolveFunction("log:1.0.0@shared", sources)).toMatchObject({ task: { call: "http" } });
  expect(asked.at(-1)).toEqual({
    uri: "https://catalog.test/root/functions/log/1.0.0/function.yaml",
    authentication: { bearer: { token: "t" } },
  });
  expect(await resolveFunction("log:1.0.0@default", sources)).toMatchObject({ task: { set: { a: 1 } } });
});

test("what is no valid task is refused with its reason", async () => {
  for (const [call, reason] of [
    ["https://one.test/broken.yaml", "endpoint"],
    ["https://one.test/list.yaml", "not a task"],
    ["https://one.test/syntax.yaml", "the function"],
    ["https://one.test/foreign.yaml", "use.functions"],
    ["log:1.0.0@nowhere", "no catalog"],
    ["constructor", "no function"],
    ["log:1.0.0@../x", "no function"],
  ])
    await expect(resolveFunction(call!, sources)).rejects.toThrow(reason!);
});

test("pages of code hosts lead to the bytes of the file", () => {
  expect(rawAddress("https://github.com/a/b/blob/main/x/function.yaml")).toBe(
    "https://raw.githubusercontent.com/a/b/main/x/function.yaml",
  );
  expect(rawAddress("https://github.com/a/b/tree/v1/functions/x")).toBe(
    "https://raw.githubusercontent.com/a/b/v1/functions/x",
  );
  expect(rawAddress("https://gitlab.com/a/b/c/-/blob/main/x.yaml")).toBe(
    "https://gitlab.com/a/b/c/-/raw/main/x.yaml",
  );
  expect(rawAddress("https://other.test/github.com/a")).toBe("https://other.test/github.com/a");
});
