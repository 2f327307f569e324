/** Makes `openapi/lightflow.yaml` from the operations of the service and the routes of the gateway. */
import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import { type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { stringify } from "yaml";
import { ERRORS } from "../src/base/errors.ts";
import { VERSION } from "../src/base/version.ts";
import { type GatewayRoute, ROUTES } from "../src/gateway/routes/index.ts";
import { type ServiceOperation, service } from "../src/service/index.ts";

type Node = { [key: string]: unknown };

const PROBLEM: TSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Unsafe({ type: "string", enum: Object.keys(ERRORS) }),
    retry: Type.Unsafe({ type: "string", enum: ["never", "safe", "inspect"] }),
    error: Type.String(),
    hint: Type.Optional(Type.String()),
    details: Type.Optional(Type.Unsafe({ type: "object" })),
  },
  { additionalProperties: false, title: "Problem" },
);

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: "The answer",
  201: "Created",
  202: "Accepted; it goes on by itself",
  400: "The request is not valid",
  401: "The credential is missing, expired or revoked",
  403: "The credential does not allow this, or the host or origin is not served",
  404: "There is no such thing",
  405: "The method is not one of this path",
  408: "It took too long",
  409: "It conflicts with what is stored",
  410: "It is over",
  413: "The body is over its limit",
  415: "The content type is not supported",
  416: "The range lies outside of the bytes",
  422: "It is understood, and cannot be done",
  429: "Too many at the moment",
  500: "A defect or a broken disk",
  503: "Not available at the moment",
};
/** Answers that are lists also come as lines. */
const LINES = { "application/x-ndjson": { schema: { type: "string" } } };
const READ_ERRORS = [400, 401, 403, 404, 405, 416, 422, 500, 503];
const WRITE_ERRORS = [...READ_ERRORS, 408, 409, 410, 413, 415, 429].sort();

/** The parts of an operation's input: path parameters, query, body. */
function inputOf(path: string, inBody: boolean, input: TSchema) {
  const properties = (input["properties"] ?? {}) as Record<string, TSchema>;
  const required = (input["required"] ?? []) as string[];
  const parameters = [...path.matchAll(/:([a-z_0-9]+)/g)].map((match) => match[1]!);
  const part = (names: string[]) => ({
    ...Type.Object({}),
    properties: Object.fromEntries(names.map((name) => [name, properties[name]!])),
    required: required.filter((name) => names.includes(name)),
    additionalProperties: input["additionalProperties"] ?? false,
  });
  const rest = Object.keys(properties).filter((name) => !parameters.includes(name));
  return {
    ...(parameters.length === 0 ? {} : { params: part(parameters) }),
    ...(rest.length === 0 ? {} : inBody ? { body: part(rest) } : { query: part(rest) }),
  };
}

/** The path parameters alone: what else the operation takes, a body of bytes carries. */
function onlyPath(path: string, input: TSchema): TSchema {
  const properties = Object.entries((input["properties"] ?? {}) as Record<string, TSchema>);
  return {
    ...input,
    properties: Object.fromEntries(properties.filter(([name]) => path.includes(`:${name}`))),
  };
}

interface Described {
  readonly id: string;
  readonly tag: string;
  readonly success: {
    readonly status: number;
    readonly about: string;
    readonly type: string;
    readonly schema?: TSchema;
  }[];
  readonly takes?: string;
  readonly row: ServiceOperation | GatewayRoute;
}

const GROUPS: Readonly<Record<string, string>> = {
  runs: "Runs: start them, follow them, look into them",
  workflows: "Workflow documents and what they listen for",
  assets: "Assets of the project: workflows, nodes, compositions, models",
  operate: "The control plane: runners, approvals, tokens, audit",
  artifacts: "Bytes by their digest",
  system: "This process and this document",
};

function tagOf(path: string): string {
  const first = path.split("/")[1] ?? "";
  if (first === "runs" || first === "runtime") return "runs";
  if (first === "workflows" || first === "events") return "workflows";
  if (first === "assets" || first === "nodes") return "assets";
  if (first === "artifacts") return "artifacts";
  if (first === "admin" || first === "runners" || first === "inbox") return "operate";
  return first in GROUPS ? first : "system";
}

function described(): Described[] {
  const operations = Object.entries(service as Record<string, ServiceOperation>).map(
    ([id, row]): Described => ({
      id,
      row,
      tag: tagOf(row.path),
      success: [
        {
          status: row.status ?? 200,
          about: STATUS_TEXT[row.status ?? 200]!,
          type: "application/json",
          schema: row.output,
        },
      ],
      ...(row.body === "bytes" ? { takes: "*/*" } : {}),
    }),
  );
  const routes = ROUTES.map(
    (row): Described => ({
      id: row.id,
      row,
      tag: tagOf(row.path),
      success: row.answers.map((answer) => ({ type: "application/json", ...answer })),
      ...(row.takes === undefined ? {} : { takes: row.takes }),
    }),
  );
  return [...operations, ...routes];
}

/** Schemas with a title that is a name become components; the same name twice must be the same schema. */
function hoist(value: unknown, components: Map<string, string>): unknown {
  if (Array.isArray(value)) return value.map((each) => hoist(each, components));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value as Node).map(([key, each]) => [key, hoist(each, components)] as const);
  const node: Node = Object.fromEntries(entries);
  const { title } = node;
  const isSchema = "type" in node || "anyOf" in node || "allOf" in node;
  if (typeof title !== "string" || !/^[A-Z][A-Za-z0-9]+$/.test(title) || !isSchema) return node;
  const { title: _, ...schema } = node;
  const text = JSON.stringify(schema);
  if ((components.get(title) ?? text) !== text) throw new Error(`two schemas have the name ${title}`);
  components.set(title, text);
  return { $ref: `#/components/schemas/${title}` };
}

/** The plugin writes what it knows from a route's schemas; what it does not know is put in here. */
export function openapiDocument(): Node {
  const app = new Elysia();
  const all = described();
  for (const { id, tag, row, takes } of all) {
    app.route(
      row.method,
      row.path,
      (() => "") as never,
      {
        ...("output" in row && takes !== undefined
          ? inputOf(row.path, false, onlyPath(row.path, row.input))
          : inputOf(row.path, row.method === "POST" && takes === undefined, row.input)),
        detail: { operationId: id, summary: row.summary, tags: [tag] },
      } as never,
    );
  }
  const { paths } = JSON.parse(
    JSON.stringify(toOpenAPISchema(app, { staticFile: false } as never, undefined, undefined, "3.1.2")),
  ) as { paths: Record<string, Record<string, Node>> };

  for (const { row, success, takes } of all) {
    const path = row.path.replaceAll(/:([a-z_0-9]+)/g, "{$1}");
    const operation = paths[path]?.[row.method.toLowerCase()];
    if (operation === undefined) throw new Error(`no ${row.method} ${path} in the document`);
    const errors = row.method === "GET" || row.method === "HEAD" ? READ_ERRORS : WRITE_ERRORS;
    operation["responses"] = Object.fromEntries([
      ...success.map(({ status, about, type, schema }) => [
        status,
        {
          description: about,
          ...(status === 204 || status === 304
            ? {}
            : {
                content: {
                  ...("lines" in row && row.lines !== undefined ? LINES : {}),
                  [type]: { schema: schema ?? (type === "application/json" ? {} : { type: "string" }) },
                },
              }),
        },
      ]),
      ...errors.map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
    ]);
    const body = operation["requestBody"] as { content: Node; required?: boolean } | undefined;
    if (body !== undefined) {
      const [schema] = Object.values(body.content) as { schema: { required?: string[] } }[];
      body.content = { "application/json": schema };
      body.required = (schema?.schema.required ?? []).length > 0;
    }
    if (takes !== undefined) {
      operation["requestBody"] = {
        required: !("output" in row),
        content: { [takes]: { schema: { type: "string" } } },
      };
    }
    operation["security"] = row.scope === "public" ? [{}] : [{ bearer: [] }, {}];
    if (row.scope !== "public") operation["x-lightflow-scope"] = row.scope;
  }

  const components = new Map<string, string>();
  const sorted = Object.fromEntries(Object.entries(paths).sort(([one], [other]) => (one < other ? -1 : 1)));
  const hoisted = hoist(JSON.parse(JSON.stringify(sorted)), components);
  const problem = hoist(JSON.parse(JSON.stringify(PROBLEM)), components);
  return {
    openapi: "3.1.2",
    info: {
      title: "LightFlow API",
      version: VERSION,
      description:
        "Runs of workflows that are TypeScript files. Every operation here is the same on the command line and over MCP.",
      license: { name: "MIT OR Apache-2.0", identifier: "MIT OR Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:5174", description: "`lightflow up` on this machine" }],
    tags: Object.entries(GROUPS).map(([name, description]) => ({ name, description })),
    paths: hoisted,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "`lightflow token create`; the loopback address asks for none by default.",
        },
      },
      schemas: Object.fromEntries(
        [...components]
          .sort(([one], [other]) => (one < other ? -1 : 1))
          .map(([name, text]) => [name, JSON.parse(text)]),
      ),
      responses: Object.fromEntries(
        WRITE_ERRORS.map((status) => [
          `Problem${status}`,
          {
            description: STATUS_TEXT[status],
            content: { "application/problem+json": { schema: problem } },
          },
        ]),
      ),
    },
  };
}

export function openapiYaml(): string {
  return `# Generated from the operations and routes by \`bun scripts/generate-docs.ts\`.\n${stringify(
    openapiDocument(),
    { aliasDuplicateObjects: false, lineWidth: 120 },
  )}`;
}
