import type { TSchema } from "@sinclair/typebox";
import { type ServiceOperation, service } from "../../service/index.ts";

/** One tool: an operation under the name that agents call it by. */
interface ToolRow {
  readonly tool: string;
  /** By its name; a tool whose operation this build has not is left out. */
  readonly operation: string;
  /** Members of the input that the tool decides itself. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  /** What the first interface called it; answered, not listed. */
  readonly aliases?: readonly string[];
  readonly destructive?: true;
}

const one = (tool: string, operation: string, ...aliases: string[]): ToolRow => ({
  tool,
  operation,
  aliases,
});
const assets = (kind: string, ...aliases: string[]): ToolRow => ({
  tool: `list_${kind}`,
  operation: "assets.list",
  fixed: { kind },
  aliases,
});

/**
 * What agents may do. Who administers does it elsewhere: an agent neither approves runners nor makes tokens;
 * what a task is about to do it approves only where its token has the role.
 */
const ROWS: readonly ToolRow[] = [
  assets("workflows", "lightflow.list_workflows", "lightflow.workflow.list"),
  assets("nodes"),
  assets("compositions"),
  assets("models"),
  one("show_asset", "assets.show", "lightflow.get_workflow", "lightflow.workflow.open"),
  one("check_assets", "assets.check", "lightflow.validate_workflow", "lightflow.workflow.validate"),
  one("patch_asset", "assets.patch", "lightflow.workflow.apply_patch"),
  one("preview_run", "run.preview", "lightflow.preview_run"),
  one("create_run", "run.create", "lightflow.create_run"),
  one("start_run", "run.start"),
  one("submit_step", "run.submit"),
  one("refresh_run", "run.refresh"),
  { ...one("cancel_run", "run.cancel", "lightflow.cancel_run"), destructive: true },
  one("pause_run", "run.pause"),
  one("resume_run", "run.resume"),
  one("list_runs", "run.list", "lightflow.list_runs"),
  one("get_run", "run.get", "lightflow.get_run"),
  one("run_status", "run.status", "lightflow.run_status"),
  one("run_workflow", "run.workflow"),
  one("run_steps", "run.steps"),
  one("run_events", "run.events", "lightflow.run_events"),
  one("run_trace", "run.trace", "lightflow.run_trace"),
  one("run_logs", "run.logs"),
  one("list_artifacts", "run.artifacts"),
  one("read_artifact", "artifact.read"),
  one("find_artifacts", "artifact.list"),
  one("show_artifact", "artifact.show"),
  one("verify_artifact", "artifact.verify"),
  one("hold_artifact", "artifact.hold"),
  { ...one("release_artifact", "artifact.release"), destructive: true },
  one("send_event", "event.send"),
  one("list_inbox", "inbox.list"),
  one("answer_question", "ask.answer"),
  one("list_approvals", "approval.list"),
  one("show_approval", "approval.show"),
  { ...one("approve", "approval.approve"), destructive: true },
  { ...one("reject", "approval.reject"), destructive: true },
  one("list_published_workflows", "workflow.list"),
];

type JsonSchema = {
  type: "object";
  properties?: Record<string, object>;
  required?: string[];
  [key: string]: unknown;
};

export interface Tool {
  readonly name: string;
  readonly key: keyof typeof service;
  readonly operation: ServiceOperation;
  readonly fixed: Readonly<Record<string, unknown>>;
  /** As `tools/list` gives it. */
  readonly listed: {
    name: string;
    title: string;
    description: string;
    inputSchema: JsonSchema;
    outputSchema?: JsonSchema;
    annotations: Record<string, boolean>;
  };
}

/** Only a caller on this host may name directories of its own; a tool has none. */
const NOT_FOR_AGENTS = ["project_root", "working_directory"];

function inputSchema(input: TSchema, fixed: object): JsonSchema {
  const schema = JSON.parse(JSON.stringify(input)) as JsonSchema;
  for (const name of [...Object.keys(fixed), ...NOT_FOR_AGENTS]) delete schema.properties?.[name];
  const required = schema.required?.filter((name) => !(name in fixed));
  return { ...schema, type: "object", ...(required === undefined ? {} : { required }) };
}

/** The tool that waits for a run and tells what happens meanwhile. */
export const WATCH_TOOL = {
  name: "watch_run",
  title: "run.watch",
  description:
    "Follow a run until it has ended or for `timeout_ms`; each event comes as a progress notification. Answers with the run.",
  inputSchema: {
    type: "object" as const,
    properties: {
      run_id: { type: "string" },
      after: { type: "integer", minimum: 0 },
      timeout_ms: { type: "integer", minimum: 0, maximum: 600_000 },
    },
    required: ["run_id"],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
};

let known: { readonly listed: readonly Tool[]; readonly byName: ReadonlyMap<string, Tool> } | undefined;

/** The tools of this build, made from the operations. */
export function tools() {
  if (known !== undefined) return known;
  const keys = new Map(
    Object.entries(service as Record<string, ServiceOperation>).map(([key, operation]) => [
      operation.name,
      { key: key as keyof typeof service, operation },
    ]),
  );
  const listed: Tool[] = [];
  const byName = new Map<string, Tool>();
  for (const { tool, operation: name, fixed = {}, aliases = [], destructive } of ROWS) {
    const found = keys.get(name);
    if (found === undefined) continue;
    const { operation, key } = found;
    const output = JSON.parse(JSON.stringify(operation.output)) as JsonSchema;
    const made: Tool = {
      name: tool,
      key,
      operation,
      fixed,
      listed: {
        name: tool,
        title: operation.name,
        description: operation.summary,
        inputSchema: inputSchema(operation.input, fixed),
        ...(output.type === "object" ? { outputSchema: output } : {}),
        annotations: {
          readOnlyHint: operation.scope === "read",
          destructiveHint: destructive === true,
          idempotentHint: operation.method === "GET",
          openWorldHint: operation.scope !== "read",
        },
      },
    };
    listed.push(made);
    for (const each of [tool, ...aliases]) byName.set(each, made);
  }
  known = { listed, byName };
  return known;
}
