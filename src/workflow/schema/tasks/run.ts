import { type Static, Type } from "@sinclair/typebox";
import { closed, freeMap, PARTIAL_ALLOWED, wordOf } from "../build.ts";
import { Duration, ExternalResource } from "../common.ts";
import { taskBase } from "./base.ts";

/** A `${` in a command or a script is its own language's, unless the whole text is one expression. */
const Source = Type.String(PARTIAL_ALLOWED);

const Arguments = Type.Array(Type.String());

const Lifetime = Type.Union([
  closed({ cleanup: wordOf("always", "never") }),
  closed({ cleanup: Type.Literal("eventually"), after: Duration }),
]);

export const ContainerProcess = closed(
  {
    image: Type.String(),
    name: Type.Optional(Type.String()),
    command: Type.Optional(Source),
    ports: Type.Optional(freeMap()),
    volumes: Type.Optional(freeMap()),
    environment: Type.Optional(freeMap()),
    stdin: Type.Optional(Type.String()),
    arguments: Type.Optional(Arguments),
    lifetime: Type.Optional(Lifetime),
    pullPolicy: Type.Optional(wordOf("ifNotPresent", "always", "never")),
  },
  { $id: "ContainerProcess" },
);
export type ContainerProcess = Static<typeof ContainerProcess>;

const script = {
  language: Type.String(),
  stdin: Type.Optional(Type.String()),
  arguments: Type.Optional(Arguments),
  environment: Type.Optional(freeMap()),
};
export const ScriptProcess = Type.Union(
  [closed({ ...script, code: Source }), closed({ ...script, source: ExternalResource })],
  { $id: "ScriptProcess" },
);
export type ScriptProcess = Static<typeof ScriptProcess>;

export const ShellProcess = closed(
  {
    command: Source,
    stdin: Type.Optional(Type.String()),
    arguments: Type.Optional(Arguments),
    environment: Type.Optional(freeMap()),
  },
  { $id: "ShellProcess" },
);
export type ShellProcess = Static<typeof ShellProcess>;

export const SubWorkflow = closed(
  {
    namespace: Type.String(),
    name: Type.String(),
    version: Type.String(),
    input: Type.Optional(freeMap()),
  },
  { $id: "SubWorkflow" },
);
export type SubWorkflow = Static<typeof SubWorkflow>;

export const ProcessReturn = wordOf("stdout", "stderr", "code", "all", "none");
export type ProcessReturn = Static<typeof ProcessReturn>;

const run = {
  /** Default true. */
  await: Type.Optional(Type.Boolean()),
  /** Default `stdout`. */
  return: Type.Optional(ProcessReturn),
};
export const RunContainer = closed({ container: ContainerProcess, ...run });
export const RunScript = closed({ script: ScriptProcess, ...run });
export const RunShell = closed({ shell: ShellProcess, ...run });
export const RunWorkflow = closed({ workflow: SubWorkflow, ...run });
export type RunContainer = Static<typeof RunContainer>;
export type RunScript = Static<typeof RunScript>;
export type RunShell = Static<typeof RunShell>;
export type RunWorkflow = Static<typeof RunWorkflow>;

export const RunTask = closed(
  { run: Type.Union([RunShell, RunScript, RunContainer, RunWorkflow]), ...taskBase },
  { $id: "RunTask" },
);
export type RunTask = Static<typeof RunTask>;

/** The raw output of a `run` task with `return: all`. */
export const ProcessResult = closed(
  { code: Type.Integer(), stdout: Type.String(), stderr: Type.String() },
  { $id: "ProcessResult" },
);
export type ProcessResult = Static<typeof ProcessResult>;
