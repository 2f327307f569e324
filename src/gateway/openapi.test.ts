import { expect, test } from "bun:test";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { gateway, type TestGateway } from "../../test/support/gateway.ts";
import { childEnvironment } from "../base/child-env.ts";
import { type ServiceOperation, service } from "../service/index.ts";
import { MEMBERS_TYPE } from "./call.ts";

const ROOT = join(import.meta.dir, "../..");
const FILE = join(ROOT, "openapi/lightflow.yaml");
type Node = Record<string, unknown>;
const DOCUMENT = Bun.YAML.parse(await Bun.file(FILE).text()) as Node;

const at = (pointer: string): Node =>
  pointer
    .slice(2)
    .split("/")
    .reduce((node, key) => node[key.replaceAll("~1", "/").replaceAll("~0", "~")] as Node, DOCUMENT);

const ajv = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema({ ...DOCUMENT, $id: "api" } as never);

/** Hold an answer against the document: its status is declared, its body has the schema that is declared for it. */
async function declared(operation: ServiceOperation, response: Response): Promise<string> {
  const path = operation.path.replaceAll(/:([a-z_0-9]+)/g, "{$1}");
  const pointer = `#/paths/${path.replaceAll("/", "~1")}/${operation.method.toLowerCase()}/responses/${response.status}`;
  let place = pointer;
  let found = at(pointer);
  expect(found, `${operation.name} answered ${response.status}, which is not declared`).toBeDefined();
  if (typeof found["$ref"] === "string") {
    place = found["$ref"];
    found = at(place);
  }
  const type = response.headers.get("content-type")!.split(";")[0]!;
  expect(Object.keys(found["content"] as Node)).toContain(type);
  const check = ajv.getSchema(
    `api${place}/content/${encodeURIComponent(type.replaceAll("/", "~1"))}/schema`,
  )!;
  const body = await response.json();
  if (!check(body))
    throw new Error(
      `${operation.name} ${response.status}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(body)}`,
    );
  return `${response.status}`;
}

const OPERATIONS = Object.entries(service as Record<string, ServiceOperation>);

/** Call an operation with a value for each path parameter, the rest in query or body as the method has it. */
function ask(g: TestGateway, operation: ServiceOperation, input: Node, token?: string): Promise<Response> {
  const rest = { ...input };
  const path = operation.path.replaceAll(/:([a-z_0-9]+)/g, (_, name: string) => {
    const value = String(rest[name] ?? "x");
    delete rest[name];
    return encodeURIComponent(value);
  });
  const base = token === undefined ? {} : { token };
  if (operation.method !== "POST") {
    const query = new URLSearchParams(
      Object.entries(rest).map(([name, value]) => [name, String(value)] as [string, string]),
    );
    return g.fetch(`${path}${query.size > 0 ? `?${query}` : ""}`, { method: operation.method, ...base });
  }
  return g.fetch(path, {
    method: "POST",
    body: JSON.stringify(rest),
    headers: { "content-type": operation.body === "bytes" ? MEMBERS_TYPE : "application/json" },
    ...base,
  });
}

test("the document lints clean", async () => {
  const child = Bun.spawn(["node", join(ROOT, "node_modules/@redocly/cli/bin/cli.js"), "lint", FILE], {
    env: childEnvironment({
      ...process.env,
      REDOCLY_TELEMETRY: "off",
      REDOCLY_SUPPRESS_UPDATE_NOTICE: "true",
    }),
    stdout: "pipe",
    stderr: "pipe",
  });
  const text = `${await child.stdout.text()}${await child.stderr.text()}`;
  expect(text).toContain("Your API description is valid");
  expect(text).not.toMatch(/\d+ warning/);
  expect(await child.exited).toBe(0);
});

test("every refusal of every operation is a problem that the document declares", async () => {
  const g = await gateway({ requireToken: true });
  const token = await g.token(["read", "run", "admin"]);
  const reader = await g.token(["read"]);
  for (const [, operation] of OPERATIONS) {
    // Things that are not there, fields that are not known, no credential, one that is too small.
    await declared(operation, await ask(g, operation, {}, token));
    if (operation.input["additionalProperties"] === false) {
      expect(await declared(operation, await ask(g, operation, { no_such_field: 1 }, token))).toBe("400");
    }
    if (operation.scope === "public") continue;
    expect(await declared(operation, await ask(g, operation, {}))).toBe("401");
    if (operation.scope !== "read")
      expect(await declared(operation, await ask(g, operation, {}, reader))).toBe("403");
    if (operation.method !== "POST" || operation.body === "bytes") continue;
    const path = operation.path.replaceAll(/:[a-z_0-9]+/g, "x");
    const send = (body: string, type: string) =>
      g.fetch(path, { method: "POST", body, headers: { "content-type": type }, token });
    expect(await declared(operation, await send("{}", "text/plain"))).toBe("415");
    expect(await declared(operation, await send('{"a":1,"a":2}', "application/json"))).toBe("400");
    expect(
      await declared(operation, await send(`{"a":"${"x".repeat(3_000_000)}"}`, "application/json")),
    ).toBe("413");
  }
});

test("what the operations answer is what the document says", async () => {
  const g = await gateway();
  const run = { run_id: "one" };
  const statuses: Record<string, string> = {};
  const call = async (name: keyof typeof service, input: Node = {}) => {
    const operation = service[name] as unknown as ServiceOperation;
    statuses[name] = await declared(operation, await ask(g, operation, input));
    expect(statuses[name], name).toBe(String(operation.status ?? 200));
  };
  await call("health");
  await call("startRun", { ...run, workflow_asset_id: "workflow.now" });
  await call("waitRun", { ...run, wait_ms: 5000 });
  for (const name of [
    "getRun",
    "getRunWorkflow",
    "getEvents",
    "getLogs",
    "getSteps",
    "getArtifacts",
  ] as const) {
    await call(name, run);
  }
  await call("listRuns");
  await call("cancelRun", run);
  for (const kind of ["workflows", "nodes", "compositions", "models"]) await call("listAssets", { kind });
  await call("listPublications");
  await call("sendEvent", { type: "a.b", "my.extension": 1 });
  await call("listRunners");
  await call("listInbox");
  await call("createToken", { subject: "ci", scopes: ["read"] });
  await call("listTokens");
});

test("the document and the API page are served, and the page loads nothing from elsewhere", async () => {
  const g = await gateway();
  expect((await g.json("/openapi.json")).body as unknown).toEqual(DOCUMENT);
  expect(await (await g.fetch("/openapi.yaml")).text()).toBe(await Bun.file(FILE).text());
  const page = await g.fetch("/docs");
  const text = await page.text();
  expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
  const parts = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  expect(parts).toContain("/docs/swagger-ui.js");
  for (const part of parts.filter((each) => !each.startsWith("data:"))) {
    expect(part).toStartWith("/docs/");
    const file = await g.fetch(part);
    expect(file.status).toBe(200);
    expect((await file.text()).length).toBeGreaterThan(50);
  }
});
