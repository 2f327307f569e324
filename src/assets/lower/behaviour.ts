import type { Json, JsonObject } from "../../base/json.ts";
import type { AgentTarget, AskTarget, CodeTarget, CommandTarget, HttpTarget } from "../definition/types.ts";
import type { Components, PlannedStep } from "../plan/plan.ts";
import { requestBody } from "./requests.ts";

/** RFC 9457 type of the error that a `fail` step raises. */
const RUNTIME_ERROR = "https://serverlessworkflow.io/spec/1.0.0/errors/runtime";

/** What a step does, as the part of a task that is its kind's own. */
export interface Behaviour {
  readonly task: JsonObject;
  /** `metadata.lightWorkflow`. */
  readonly light?: JsonObject;
  /** `record`: the output is a command's record, kept whole. `none`: the step has no result of its own. */
  readonly result: "value" | "record" | "none";
}

export function behaviourOf(planned: PlannedStep, components: Components): Behaviour {
  const { target, step } = planned;
  switch (target.kind) {
    case "command":
      return commandTask(target);
    case "code":
      return codeTask(target, planned);
    case "http":
      return httpTask(target);
    case "set":
      return { task: { set: target.value }, result: "value" };
    case "agent":
      return agentTask(target);
    case "ask":
      return askTask(target);
    case "assert":
      return { task: { assert: { that: target.that, message: target.message } }, result: "none" };
    case "switch":
      return { task: { switch: switchCases(target.cases) }, result: "none" };
    case "fail": {
      const { title, detail, status } = target;
      return { task: { raise: { error: { type: RUNTIME_ERROR, status, title, detail } } }, result: "none" };
    }
    case "api":
      return exchange({ kind: "api", format: target.format });
    case "tool":
      return exchange({ kind: "tool", tool: target.tool_id });
    case "thread":
      return exchange({ kind: "thread", thread: target.thread_id });
    case "use":
      throw new Error(`the step ${planned.id} was not expanded`);
  }

  function exchange(place: JsonObject): Behaviour {
    const candidates = planned.models.flatMap((alias) => components.get(alias)?.definition?.candidates ?? []);
    const body = requestBody(target, step.request, candidates);
    return { task: { call: "cortex", with: { target: place, body } }, result: "value" };
  }
}

/** One that works on a session's files gives a command's record, with its answer as the output and its patch as an artifact. */
function agentTask({ with: given, workspace, pool, capabilities }: AgentTarget): Behaviour {
  const light: JsonObject = {
    ...runnerOf(pool, capabilities),
    ...(workspace === undefined ? {} : { workspace }),
    ...(workspace === "session" ? { output: "json" } : {}),
  };
  return {
    task: { call: "agent", with: given },
    ...(Object.keys(light).length === 0 ? {} : { light }),
    result: workspace === "session" ? "record" : "value",
  };
}

function askTask(target: AskTarget): Behaviour {
  const { prompt, options, schema, role, required, timeout, default: answer } = target;
  return {
    task: {
      ask: {
        prompt,
        ...(options === undefined
          ? {}
          : typeof options === "string"
            ? { optionsFrom: options }
            : { options }),
        ...(schema === undefined ? {} : { schema: { format: "json", document: schema } }),
        ...(role === undefined ? {} : { assignment: { roleId: role } }),
        ...(required ? {} : { required }),
        ...(timeout === undefined ? {} : { timeout }),
        ...(answer === undefined ? {} : { default: answer, onTimeout: "default" }),
      },
    },
    result: "value",
  };
}

function switchCases(cases: readonly { when?: string; then: string }[]): Json[] {
  return cases.map(({ when, then }, index) => ({
    [when === undefined ? "otherwise" : `case${index + 1}`]: {
      ...(when === undefined ? {} : { when }),
      then,
    },
  }));
}

function runnerOf(pool: string | undefined, capabilities: readonly string[]): JsonObject {
  const runner: JsonObject = {
    ...(pool === undefined ? {} : { runnerPool: pool }),
    ...(capabilities.length === 0 ? {} : { capabilities: [...capabilities] }),
  };
  return Object.keys(runner).length === 0 ? {} : { runner };
}

function commandTask(target: CommandTarget): Behaviour {
  const { environment, stdin, files } = target;
  return {
    task: {
      run: {
        shell: {
          command: target.command,
          arguments: [...target.arguments],
          ...(Object.keys(environment).length === 0 ? {} : { environment: { ...environment } }),
          ...(stdin === undefined ? {} : { stdin }),
        },
      },
    },
    light: {
      ...runnerOf(target.pool, target.capabilities),
      // Stated always: it is what makes the command's record, and not its standard output, the result.
      output: target.output,
      workspace: typeof target.workspace === "string" ? target.workspace : copyOf(target.workspace),
      ...(target.repeatable ? { repeatable: true } : {}),
      ...(target.mounts.length === 0 ? {} : { mounts: target.mounts.map(mountOf) }),
      ...(target.artifacts.length === 0 ? {} : { artifacts: target.artifacts.map(artifactOf) }),
      ...(files === undefined ? {} : { files: [...files] }),
      ...(target.action === undefined ? {} : { action: { ...target.action } }),
      ...(target.network === undefined ? {} : { network: target.network ? "open" : "deny-all" }),
      ...securityOf(target),
    },
    result: "record",
  };
}

const copyOf = ({ copyOnWrite, commit }: Exclude<CommandTarget["workspace"], string>): JsonObject => ({
  copyOnWrite,
  ...(commit === undefined ? {} : { commit }),
});

function securityOf({ sandbox, provenance, model_generated }: CommandTarget): JsonObject {
  const security: JsonObject = {
    ...(sandbox === undefined ? {} : { sandbox: { mode: sandbox } }),
    ...(model_generated === true ? { workloadTrust: "model-generated" } : {}),
    ...(provenance === undefined ? {} : { provenance: "signed" }),
  };
  return {
    ...(Object.keys(security).length === 0 ? {} : { security }),
    ...(provenance?.materials === undefined ? {} : { materials: [...provenance.materials] }),
  };
}

function mountOf({ source, target, read_only }: CommandTarget["mounts"][number]): JsonObject {
  // Seen under its own path, unless it says otherwise: what names it in an argument then reads in the sandbox too.
  return { source, target: target ?? source, readOnly: read_only };
}

function artifactOf({ path, name, media_type }: CommandTarget["artifacts"][number]): JsonObject {
  return {
    path,
    ...(name === undefined ? {} : { name }),
    ...(media_type === undefined ? {} : { mediaType: media_type }),
  };
}

/**
 * A function of the node's own file. The file travels by its digest, the inputs as JSON on standard input, and whatever
 * the function leaves in `outputs/` comes back as artifacts.
 */
function codeTask(target: CodeTarget, planned: PlannedStep): Behaviour {
  const ports = Object.entries(planned.node?.inputs ?? {}).filter(([, port]) => port.type === "artifact");
  return {
    task: {
      run: {
        shell: {
          command: "lightflow",
          arguments: ["code", planned.source],
          stdin: "${ .inputs | tojson }",
        },
      },
    },
    light: {
      ...runnerOf(target.pool, target.capabilities),
      output: "json",
      workspace: "ephemeral",
      // A pure function by contract; whoever reaches further says so.
      ...(planned.impure ? {} : { repeatable: true }),
      ...networkOf(target.network),
      artifacts: [{ path: "outputs/**" }],
      files: ports.map(([name]) => `\${ .inputs[${JSON.stringify(name)}] }`),
      code: { source: planned.source },
      ...(target.browser === undefined ? {} : { browser: { ...target.browser } }),
    },
    result: "record",
  };
}

function networkOf(network: CodeTarget["network"]): JsonObject {
  if (typeof network === "boolean") return network ? { network: "open" } : {};
  return { network: "allowlisted", security: { allow: { networkHosts: [...network] } } };
}

function httpTask(target: HttpTarget): Behaviour {
  const { method, endpoint, headers, query, body, output, repeatable } = target;
  return {
    task: {
      call: "http",
      with: {
        method,
        endpoint,
        ...(headers === undefined ? {} : { headers: { ...headers } }),
        ...(query === undefined ? {} : { query: { ...query } }),
        ...(body === undefined ? {} : { body }),
        output,
      },
    },
    ...(repeatable ? { light: { repeatable: true } } : {}),
    result: "value",
  };
}
