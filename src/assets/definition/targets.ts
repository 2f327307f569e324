import type { Json, JsonObject } from "../../base/json.ts";
import type {
  ActionOptions,
  AgentOptions,
  AskOptions,
  CodeBehaviour,
  CommandBehaviour,
  EffortOptions,
  HttpBehaviour,
} from "./options.ts";
import type { AgentTarget, AskTarget, CommandTarget, StepTarget } from "./types.ts";

/** A command as the author wrote it, with every default put in. */
export function commandTarget(options: CommandBehaviour): CommandTarget {
  return {
    kind: "command",
    command: options.command,
    arguments: options.arguments ?? [],
    environment: options.environment ?? {},
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    output: options.output ?? "text",
    workspace: options.workspace ?? "session",
    artifacts: (options.artifacts ?? []).map(({ path, name, mediaType }) => ({
      path,
      ...(name === undefined ? {} : { name }),
      ...(mediaType === undefined ? {} : { media_type: mediaType }),
    })),
    mounts: (options.mounts ?? []).map(({ source, target, readOnly }) => ({
      source,
      ...(target === undefined ? {} : { target }),
      read_only: readOnly ?? true,
    })),
    ...(options.files === undefined ? {} : { files: options.files }),
    repeatable: options.repeatable ?? false,
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    capabilities: options.capabilities ?? [],
    ...(options.provenance === undefined
      ? {}
      : { provenance: options.provenance as NonNullable<CommandTarget["provenance"]> }),
    ...(options.sandbox === undefined ? {} : { sandbox: options.sandbox }),
    ...(options.modelGenerated === true ? { model_generated: true } : {}),
    ...(options.network === undefined ? {} : { network: options.network }),
  };
}

/** A fixed action is a command whose program is the runner's own executable. */
export function actionTarget(options: ActionOptions): StepTarget {
  const { action, with: given, ...around } = options;
  return {
    ...commandTarget({ ...around, command: "lightflow", arguments: [], output: "json" }),
    action: { name: action, with: (given ?? {}) as JsonObject },
  };
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

export function httpTarget(options: HttpBehaviour): StepTarget {
  const { headers, query, body } = options;
  return {
    kind: "http",
    method: options.method,
    endpoint: options.endpoint,
    ...(headers === undefined ? {} : { headers }),
    ...(query === undefined ? {} : { query: query as Record<string, Json> }),
    ...(body === undefined ? {} : { body: body as Json }),
    output: options.output ?? "content",
    repeatable: options.repeatable ?? SAFE.has(options.method),
  };
}

export function askTarget(options: AskOptions): AskTarget {
  const { prompt, options: choices, schema, role, required, timeout, default: answer } = options;
  return {
    kind: "ask",
    prompt,
    ...(choices === undefined ? {} : { options: choices as Json }),
    ...(schema === undefined ? {} : { schema: schema as JsonObject }),
    ...(role === undefined ? {} : { role }),
    required: required ?? true,
    ...(timeout === undefined ? {} : { timeout }),
    ...(answer === undefined ? {} : { default: answer as Json }),
  };
}

export function agentTarget(options: Omit<AgentOptions, keyof EffortOptions>): AgentTarget {
  const { outputSchema, workspace, pool, capabilities, ...given } = options;
  return {
    kind: "agent",
    with: {
      ...given,
      ...(outputSchema === undefined ? {} : { outputSchema: { format: "json", document: outputSchema } }),
    } as JsonObject,
    ...(workspace === undefined ? {} : { workspace }),
    ...(pool === undefined ? {} : { pool }),
    capabilities: capabilities ?? [],
  };
}

export function codeTarget(options: CodeBehaviour = {}): StepTarget {
  return {
    kind: "code",
    network: options.network ?? false,
    ...(options.browser === undefined || options.browser === false
      ? {}
      : { browser: options.browser === true ? {} : options.browser }),
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    capabilities: options.capabilities ?? [],
  };
}
