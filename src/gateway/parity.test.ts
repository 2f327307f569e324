import { expect, test } from "bun:test";
import { gateway, type TestGateway } from "../../test/support/gateway.ts";
import { putArtifact } from "../../test/support/history.ts";
import { Failure, toProblem } from "../base/errors.ts";
import { callSocket } from "../host/socket.ts";
import { callOperation, type ServiceName, type ServiceOperation, service } from "../service/index.ts";
import { MEMBERS_TYPE } from "./call.ts";
import { tools } from "./mcp/tools.ts";

type Input = Record<string, unknown>;
type Surface = (name: ServiceName, input: Input) => Promise<unknown>;

const failed = (error: unknown) => {
  if (error instanceof Failure) return toProblem(error);
  throw error;
};

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

function surfaces(g: TestGateway): Record<string, Surface> {
  return {
    // What the command line calls where it hosts the roles itself.
    process: (name, input) =>
      callOperation(service[name] as never, { ...g.host.context, trustsPaths: false }, input).then(
        json,
        failed,
      ),
    socket: (name, input) => callSocket(g.socket, name, input).catch(failed),
    async http(name, input) {
      const operation = service[name] as unknown as ServiceOperation;
      const rest = { ...input };
      const path = operation.path.replaceAll(/:([a-z_0-9]+)/g, (_, parameter: string) => {
        const value = encodeURIComponent(String(rest[parameter]));
        delete rest[parameter];
        return value;
      });
      const query = new URLSearchParams(
        Object.entries(rest).map(([key, value]) => [key, String(value)] as [string, string]),
      );
      const response =
        operation.method === "POST"
          ? await g.json(path, {
              json: rest,
              ...(operation.body === "bytes" ? { headers: { "content-type": MEMBERS_TYPE } } : {}),
            })
          : await g.json(`${path}${query.size > 0 ? `?${query}` : ""}`, { method: operation.method });
      return response.body;
    },
  };
}

/** The same call as a tool, or nothing where agents have none for it. */
async function asTool(g: TestGateway, name: ServiceName, input: Input): Promise<unknown> {
  const tool = tools().listed.find(
    ({ key, fixed }) =>
      key === name && Object.entries(fixed).every(([member, value]) => input[member] === value),
  );
  if (tool === undefined) return undefined;
  const given = Object.fromEntries(Object.entries(input).filter(([member]) => !(member in tool.fixed)));
  const { body } = await g.json("/mcp", {
    headers: { accept: "application/json, text/event-stream" },
    json: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool.name, arguments: given } },
  });
  const { result } = body as { result: { content: { text: string }[] } };
  return JSON.parse(result.content[0]!.text) as unknown;
}

/** Only a caller on this host learns where files lie; and time goes on between two questions. */
function withoutPlaces(value: unknown): unknown {
  const differs = (key: string, each: unknown) =>
    key === "path" || key === "waited_ms" || (key === "state" && String(each).startsWith("/"));
  return JSON.parse(
    JSON.stringify(value, (key, each: unknown) => (differs(key, each) ? undefined : each)),
  ) as unknown;
}

const NAMES = Object.keys(service) as ServiceName[];

test("the same question has the same answer in this process, on the socket, over HTTP and as a tool", async () => {
  const g = await gateway();
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.slow", run_id: "a" } });
  await g.json("/runs/start", {
    json: { workflow_asset_id: "workflow.now", run_id: "b", inputs: { name: "ü" } },
  });
  await g.json("/runs/b/wait?wait_ms=5000");
  const sha256 = await putArtifact(
    g.host,
    "a",
    "x.bin",
    "application/octet-stream",
    new Uint8Array([0xff, 0, 1]),
  );
  const inputs: Input[] = [
    { run_id: "a" },
    { run_id: "b" },
    { run_id: "a", limit: 1 },
    { sha256 },
    { kind: "workflows" },
    { kind: "models" },
    {},
  ];
  const told: string[] = [];
  for (const name of NAMES) {
    const operation = service[name] as unknown as ServiceOperation;
    if (operation.method !== "GET") continue;
    for (const input of inputs) {
      // Path parameters are part of the route; only questions that name them can be asked on every surface.
      if ([...operation.path.matchAll(/:([a-z_0-9]+)/g)].some(([, parameter]) => !(parameter! in input)))
        continue;
      const answers: Record<string, unknown> = {};
      for (const [surface, ask] of Object.entries(surfaces(g)))
        answers[surface] = withoutPlaces(await ask(name, input));
      const tool = await asTool(g, name, input);
      if (tool !== undefined) answers["tool"] = withoutPlaces(tool);
      for (const [surface, answer] of Object.entries(answers))
        expect(answer, `${name} ${surface}`).toEqual(answers["process"]);
      told.push(name);
    }
  }
  expect(new Set(told).size).toBeGreaterThan(12);
});

test("a refusal is the same problem on every surface", async () => {
  const g = await gateway();
  for (const name of NAMES) {
    const operation = service[name] as unknown as ServiceOperation;
    const parameters = [...operation.path.matchAll(/:([a-z_0-9]+)/g)].map((match) => match[1]!);
    const input: Input = {
      ...Object.fromEntries(parameters.map((parameter) => [parameter, "nobody"])),
      no_such_member: 1,
    };
    if (operation.input["additionalProperties"] !== false) continue;
    const answers: Record<string, unknown> = {};
    for (const [surface, ask] of Object.entries(surfaces(g))) answers[surface] = await ask(name, input);
    const tool = await asTool(g, name, input);
    if (tool !== undefined) answers["tool"] = tool;
    for (const [surface, answer] of Object.entries(answers)) {
      const { code } = answer as { code: string };
      expect(code, `${name} ${surface}`).toBe("invalid_request");
    }
  }
});

test("what changes something changes it alike: a run is started and cancelled on each surface", async () => {
  const g = await gateway();
  const shape = (value: unknown) => Object.keys(value as Input).sort();
  const all: Record<string, Surface> = {
    ...surfaces(g),
    tool: (name, input) => asTool(g, name, input),
  };
  const shapes = new Set<string>();
  for (const [surface, ask] of Object.entries(all)) {
    const started = await ask("startRun", { workflow_asset_id: "workflow.slow", run_id: surface });
    expect(started).toMatchObject({ run_id: surface, created: true });
    expect(await ask("startRun", { workflow_asset_id: "workflow.slow", run_id: surface })).toMatchObject({
      status: 409,
    });
    const again = await ask("startRun", {
      workflow_asset_id: "workflow.slow",
      run_id: surface,
      idempotent: true,
    });
    expect(again).toMatchObject({ created: false });
    const cancelled = await ask("cancelRun", { run_id: surface, reason: "enough" });
    expect(cancelled).toMatchObject({ status: "cancelled" });
    shapes.add(JSON.stringify([shape(started), shape(cancelled)]));
  }
  expect(shapes.size).toBe(1);
});
