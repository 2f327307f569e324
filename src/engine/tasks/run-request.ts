import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { evaluateTemplate } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { secretReference } from "../secret-places.ts";
import type { Frame, RunRequest } from "../state.ts";

/** What a `run` task asks of a runner, with every expression evaluated. */
export function runRequest(machine: Machine, frame: Frame, task: JsonObject): RunRequest {
  const run = task["run"] as JsonObject;
  const [kind] = ["shell", "script", "container"].filter((name) => isObject(run[name]));
  if (kind === undefined)
    throw fault("configuration", `run.${Object.keys(run)[0]} is not supported by this build`);
  const what = run[kind] as JsonObject;
  const declared = withReferences((what["environment"] ?? {}) as JsonObject);
  const evaluated = evaluateTemplate(machine, frame, `run/${kind}`, {
    arguments: what["arguments"] ?? [],
    environment: declared,
    stdin: what["stdin"] ?? null,
    volumes: what["volumes"] ?? {},
  }) as { arguments: Json; environment: Json; stdin: Json; volumes: Json };
  const light = evaluateTemplate(machine, frame, "metadata/lightWorkflow", lightOf(task)) as JsonObject;
  const given = argumentVector(evaluated.arguments);
  return {
    ...(kind === "container"
      ? contained(what, given)
      : {
          type: "run.shell",
          ...(kind === "script" ? interpreted(what, given) : invocation(what["command"], given, kind)),
        }),
    environment: environmentOf((evaluated.environment ?? {}) as JsonObject, declared),
    ...(evaluated.stdin === null ? {} : { stdin: text(evaluated.stdin, "stdin") }),
    light: withVolumes(light, evaluated.volumes),
    timeout_ms: machine.timeoutOf(machine.definition.task(frame.pointer), frame),
  };
}

/** `metadata.lightWorkflow` of a task. */
export function lightOf(task: JsonObject): JsonObject {
  const metadata = task["metadata"];
  const light = isObject(metadata) ? metadata["lightWorkflow"] : undefined;
  return isObject(light) ? (light as JsonObject) : {};
}

function text(value: Json, what: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw fault(
    "expression",
    `${what} must be text, a number or a boolean, not ${JSON.stringify(value)?.slice(0, 100)}`,
  );
}

const SECRET_SCHEME = "runner-secret://";

/** A secret of a command is the runner's to resolve: the state and the queue hold its name. */
export function withReferences(environment: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const secret = typeof value === "string" ? secretReference(value) : null;
      return [name, secret === null ? value : `${SECRET_SCHEME}${secret}`];
    }),
  );
}

/** Only the document itself may ask for a secret: a value that came in as data and reads like a reference is refused. */
export function environmentOf(evaluated: JsonObject, declared: JsonObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(evaluated).map(([name, value]) => {
      const written = text(value, `environment ${name}`);
      if (written.includes(SECRET_SCHEME) && declared[name] !== written)
        throw fault("authorization", `environment ${name}: data cannot name a secret of a runner`);
      return [name, written];
    }),
  );
}

interface Invocation {
  command: string;
  arguments: string[];
}

/** One word: the name or the path of a program. */
const PROGRAM = /^[\w@%+=:,./-]+$/;

/**
 * A single word is a program with its arguments. Anything else is shell text as the document wrote it, without any
 * expression in it, and the arguments are its `$1`, `$2`, … .
 */
function invocation(command: Json | undefined, given: string[], kind: string): Invocation {
  if (!isLiteral(command))
    throw fault("validation", `run.${kind}.command must be a literal; pass values as arguments`);
  if (PROGRAM.test(command)) return { command, arguments: given };
  return { command: "sh", arguments: ["-c", command, "sh", ...given] };
}

export const isLiteral = (value: Json | undefined): value is string =>
  typeof value === "string" && !value.includes("${");

/** Without a command the image runs its own, and the arguments stand in the place of the image's. */
function contained(container: JsonObject, given: string[]) {
  const { image, command } = container;
  if (!isLiteral(image)) throw fault("validation", "run.container.image must be a literal");
  const called = command === undefined ? { arguments: given } : invocation(command, given, "container");
  return { type: "run.container" as const, image, ...called };
}

/** `volumes: {/host/path: /path/in/container}`, `:ro` behind it for reading alone: mounts like any other. */
function withVolumes(light: JsonObject, volumes: Json): JsonObject {
  const mounts = Object.entries(isObject(volumes) ? (volumes as JsonObject) : {}).map(([source, value]) => {
    const target = text(value, `volume ${source}`);
    return { source, target: target.replace(/:(ro|rw)$/, ""), readOnly: target.endsWith(":ro") };
  });
  if (mounts.length === 0) return light;
  const others = Array.isArray(light["mounts"]) ? light["mounts"] : [];
  return { ...light, mounts: [...others, ...mounts] };
}

/**
 * The interpreters of `run.script`, and what they take to run a text: the arguments are what the script sees from its
 * first own one on (`process.argv[2]`, `sys.argv[1]`). JavaScript is a module.
 */
const INTERPRETERS: Readonly<Record<string, (code: string, given: string[]) => Invocation>> = {
  js: (code, given) => ({
    command: "node",
    arguments: ["--input-type=module", "-e", code, "--", "script.mjs", ...given],
  }),
  python: (code, given) => ({ command: "python3", arguments: ["-c", code, ...given] }),
};
const LANGUAGES: Readonly<Record<string, string>> = { js: "js", javascript: "js", python: "python" };

export const SCRIPT_LANGUAGES: readonly string[] = Object.keys(LANGUAGES);

/** Why a script cannot be run, or null. */
export function scriptProblem(code: string): string | null {
  if (/^\s*\$\{[\s\S]*\}\s*$/.test(code)) return "the code must be a literal; pass values as arguments";
  const bytes = Buffer.byteLength(code);
  return bytes > LIMITS.scriptBytes
    ? `the code has ${bytes} bytes, the limit is ${LIMITS.scriptBytes}`
    : null;
}

function interpreted(script: JsonObject, given: string[]): Invocation {
  const { language, code } = script;
  const interpreter = INTERPRETERS[LANGUAGES[String(language)] ?? ""];
  if (interpreter === undefined)
    throw fault("configuration", `scripts in ${JSON.stringify(language)} are not supported by this build`);
  if (typeof code !== "string") throw fault("configuration", "the script's source was not fetched");
  const problem = scriptProblem(code);
  if (problem !== null) throw fault("validation", `run.script: ${problem}`);
  return interpreter(code, given);
}

function argumentVector(value: Json): string[] {
  if (!Array.isArray(value)) throw fault("expression", "the arguments of a command must be a list");
  return value.map((item, at) => text(item, `argument ${at}`));
}
