import { isObject } from "../../base/json.ts";
import { nearest } from "../../base/nearest.ts";
import { joinPointer } from "../../base/pointer.ts";
import { cronProblem } from "../cron.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { isCall, isTask } from "../kind.ts";
import {
  type Assertion,
  COMPARATORS,
  Document,
  type Mode,
  type SubWorkflow,
  type Task,
  type WorkflowDocument,
} from "../schema/index.ts";
import { DnsLabel, EXPRESSION_PATTERN, SemanticVersion } from "../schema/text.ts";
import { documentPlaces } from "../scopes.ts";
import { walkTasks } from "../walk.ts";
import { didYouMean, error, warning } from "./finding.ts";

/** What the schema lets through although nothing could run it. */
export function* checkCompleteness(document: WorkflowDocument, mode: Mode): Generator<Diagnostic> {
  yield* checkRoot(document);
  for (const { schema, value, pointer } of documentPlaces(document, mode)) {
    if (!isObject(value)) continue;
    if (schema.$id === "OAuth2Properties" || schema.$id === "OpenIdConnectProperties")
      for (const name of ["authority", "grant"])
        if (value[name] === undefined) yield error("incomplete", pointer, `\`${name}\` is missing`);
    if (schema.$id === "EventAttributes" || schema.$id === "EmittedAttributes")
      yield* checkTime(value["time"], `${pointer}/time`);
  }
  for (const { task, pointer } of walkTasks(document)) yield* checkTask(task, pointer, mode);
}

/** The specification was renamed in 2026; the schema goes by both names. */
const SCHEMA_ID =
  /^https:\/\/(?:serverlessworkflow\.io|open-workflow-specification\.org)\/schemas\/1\.\d+\.\d+\/workflow\.(?:yaml|json)$/;

function* checkRoot(document: WorkflowDocument): Generator<Diagnostic> {
  const known = Object.keys(Document.properties);
  for (const key of Object.keys(document))
    if (!known.includes(key))
      yield warning(
        "ignored",
        joinPointer("", key),
        `\`${key}\` has no meaning here`,
        didYouMean(nearest(key, known)),
      );
  const { $schema } = document;
  if ($schema !== undefined && !SCHEMA_ID.test($schema))
    yield warning("ignored", "/$schema", "not the specification's schema: it is not looked at");
  const [major, minor, patch] = document.document.dsl.split(/[.+-]/).map(Number) as [number, number, number];
  if (major !== 1) yield error("unsupported", "/document/dsl", "only DSL 1 is read");
  else if (minor > 0 || patch > 3)
    yield warning("newer_than_dsl", "/document/dsl", "newer than DSL 1.0.3: read by the rules of 1.0.3");
  const language = document.evaluate?.language;
  if (language !== undefined && language !== "jq")
    yield error(
      "unsupported",
      "/evaluate/language",
      `expressions in \`${language}\` are not supported, only jq is`,
    );
  const { schedule } = document;
  if (schedule === undefined) return;
  const kinds = (["every", "cron", "after", "on"] as const).filter((kind) => schedule[kind] !== undefined);
  if (kinds.length !== 1)
    yield error("incomplete", "/schedule", "needs exactly one of `every`, `cron`, `after` and `on`");
  const problem = schedule.cron === undefined ? null : cronProblem(schedule.cron);
  if (problem !== null) yield error("invalid_value", "/schedule/cron", problem);
  if (schedule.read !== undefined && schedule.on === undefined)
    yield error("incomplete", "/schedule/read", "`read` has a meaning beside `on` only");
}

function* checkTask(task: Task, pointer: string, mode: Mode): Generator<Diagnostic> {
  if (isTask(task, "assert")) {
    if (Array.isArray(task.assert))
      for (const [index, one] of task.assert.entries())
        yield* checkAssertion(one, `${pointer}/assert/${index}`);
    else yield* checkAssertion(task.assert, `${pointer}/assert`);
  }
  if (isTask(task, "ask")) {
    const { ask } = task;
    if (ask.options !== undefined && ask.optionsFrom !== undefined)
      yield error("incomplete", `${pointer}/ask`, "`options` cannot stand beside `optionsFrom`");
    if (ask.onTimeout === "default" && ask.default === undefined)
      yield error("incomplete", `${pointer}/ask/onTimeout`, "there is no `default` to answer with");
    if (ask.onTimeout !== undefined && ask.timeout === undefined)
      yield error("incomplete", `${pointer}/ask/onTimeout`, "there is no `timeout`");
  }
  if (isTask(task, "run") && "workflow" in task.run)
    yield* checkSubWorkflow(task.run.workflow, `${pointer}/run/workflow`);
  if (isCall(task, "a2a") && task.with.agentCard === undefined && task.with.server === undefined)
    yield error("incomplete", `${pointer}/with`, "needs `agentCard` or `server`");
  if (
    mode === "light" &&
    isCall(task, "agent") &&
    task.with.endpoint !== undefined &&
    task.with.mode !== "service"
  )
    yield error("incomplete", `${pointer}/with/endpoint`, "an endpoint belongs to `mode: service`");
}

/** Definitions are found by these three, so a text that can be none of them never finds one. */
function* checkSubWorkflow(workflow: SubWorkflow, pointer: string): Generator<Diagnostic> {
  const expression = new RegExp(EXPRESSION_PATTERN);
  for (const name of ["namespace", "name", "version"] as const) {
    const { pattern, description } = name === "version" ? SemanticVersion : DnsLabel;
    const text = workflow[name];
    if (new RegExp(pattern!).test(text) || expression.test(text)) continue;
    if (name !== "version") yield error("invalid_value", `${pointer}/${name}`, `must be ${description}`);
    else if (text !== "latest")
      yield error("invalid_value", `${pointer}/version`, `must be "latest" or ${description}`);
  }
}

function* checkAssertion(assertion: Assertion, pointer: string): Generator<Diagnostic> {
  if ("that" in assertion || COMPARATORS.some((name) => assertion[name] !== undefined)) return;
  yield error("incomplete", pointer, `nothing is compared: needs one of ${COMPARATORS.join(", ")}`);
}

/** The day of a month, which the schema's pattern does not know. */
function* checkTime(time: unknown, pointer: string): Generator<Diagnostic> {
  const match = typeof time === "string" ? /^(\d{4})-(\d{2})-(\d{2})/.exec(time) : null;
  if (match === null) return;
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate())
    yield error("invalid_value", pointer, `${match[0]} is not a day`);
}
