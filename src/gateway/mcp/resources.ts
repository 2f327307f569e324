import { fail } from "../../base/errors.ts";
import { type Call, type ServiceName, type ServiceOperation, service } from "../../service/index.ts";
import { streamInfo } from "../streams/info.ts";
import { tools } from "./tools.ts";

interface Resource {
  readonly uri: string;
  readonly name: string;
  readonly description: string;
  read(call: Call): Promise<unknown> | unknown;
}

const keyOf = (name: string) =>
  Object.entries(service as Record<string, ServiceOperation>).find(([, each]) => each.name === name)?.[0] as
    | ServiceName
    | undefined;

/** A resource that is an operation's answer; none where this build has not the operation. */
function answered(
  path: string,
  operation: string,
  description: string,
  input: Record<string, unknown> = {},
): Resource[] {
  const key = keyOf(operation);
  if (key === undefined) return [];
  return [{ uri: `lightflow://${path}`, name: path, description, read: (call) => call(key, input) }];
}

/** Fixed resources, under the names of the first interface. */
export const resources = (): readonly Resource[] => [
  ...answered("workflows", "assets.list", "Workflows of the project and of this build", {
    kind: "workflows",
  }),
  ...answered("nodes", "assets.list", "Nodes", { kind: "nodes" }),
  ...answered("compositions", "assets.list", "Compositions", { kind: "compositions" }),
  ...answered("models", "assets.list", "Models", { kind: "models" }),
  ...answered("runs", "run.list", "Runs, newest first"),
  ...answered("ctx-abi", "ctx.abi", "The conventions of /ctx on this host"),
  {
    uri: "lightflow://runtime",
    name: "runtime",
    description: "Streams of this server",
    read: () => streamInfo(),
  },
  {
    uri: "lightflow://mcp",
    name: "mcp",
    description: "This endpoint: its tools and resources",
    read: () => ({
      endpoint: "LightFlow MCP",
      transports: ["streamable-http", "stdio"],
      path: "/mcp",
      tools: tools().listed.map(({ name }) => name),
      resources: resources().map(({ uri }) => uri),
    }),
  },
];

const TEMPLATES = [
  ["runs/{run_id}", "run.get", "One run: status, inputs, output, error"],
  ["runs/{run_id}/events", "run.events", "What happened in a run"],
  ["runs/{run_id}/steps", "run.steps", "The steps of a run"],
  ["runs/{run_id}/workflow", "run.workflow", "The document that a run executes"],
  ["runs/{run_id}/artifacts", "run.artifacts", "What a run handed over"],
  ["artifacts/{sha256}", "artifact.read", "The first bytes of an artifact, as text or base64"],
] as const;

export const templates = () =>
  TEMPLATES.map(([path, name, description]) => ({
    uriTemplate: `lightflow://${path}`,
    name: name,
    description,
    mimeType: "application/json",
  }));

/** @throws Failure `not_found` for what no resource or template names */
export async function readResource(call: Call, uri: string): Promise<unknown> {
  const fixed = resources().find((each) => each.uri === uri);
  if (fixed !== undefined) return await fixed.read(call);
  const words = uri.startsWith("lightflow://") ? uri.slice("lightflow://".length).split("/") : [];
  for (const [path, name] of TEMPLATES) {
    const pattern = path.split("/");
    if (pattern.length !== words.length) continue;
    const input: Record<string, unknown> = {};
    const fits = pattern.every((part, at) => {
      const match = /^\{(\w+)\}$/.exec(part);
      if (match === null) return part === words[at];
      input[match[1]!] = decodeURIComponent(words[at]!);
      return true;
    });
    const key = fits ? keyOf(name) : undefined;
    if (key !== undefined) return await call(key, input);
  }
  throw fail("not_found", `there is no resource ${uri}`);
}
