import { isObject } from "../../base/json.ts";
import { nearest } from "../../base/nearest.ts";
import { joinPointer } from "../../base/pointer.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { callKind, isTask } from "../kind.ts";
import {
  type CallTask,
  DIALECT_CALLS,
  type Mode,
  PROTOCOL_CALLS,
  type Use,
  type WorkflowDocument,
} from "../schema/index.ts";
import { SEMVER_PATTERN } from "../schema/text.ts";
import { documentPlaces } from "../scopes.ts";
import { walkTasks } from "../walk.ts";
import { didYouMean, error } from "./finding.ts";

/** Whatever is used by name is defined in `use`, and no definition hides behind a call of the language. */
export function* checkReferences(document: WorkflowDocument, mode: Mode): Generator<Diagnostic> {
  const use = document.use ?? {};
  yield* checkReserved(use, mode);
  if (typeof document.timeout === "string") yield* known("timeouts", document.timeout, "/timeout", use);
  for (const { schema, value, pointer } of documentPlaces(document, mode)) {
    if (!isObject(value) || typeof value["use"] !== "string") continue;
    if (schema.$id === "AuthenticationReference")
      yield* known("authentications", value["use"], `${pointer}/use`, use);
    if (schema.$id === "AuthenticationFromSecret")
      yield* known("secrets", value["use"], `${pointer}/use`, use);
  }
  for (const { task, pointer } of walkTasks(document)) {
    if (typeof task.timeout === "string") yield* known("timeouts", task.timeout, `${pointer}/timeout`, use);
    if (isTask(task, "try") && typeof task.catch.retry === "string")
      yield* known("retries", task.catch.retry, `${pointer}/catch/retry`, use);
    if (isTask(task, "raise") && typeof task.raise.error === "string")
      yield* known("errors", task.raise.error, `${pointer}/raise/error`, use);
    if (isTask(task, "call") && callKind(task, mode) === "function")
      yield* checkFunction(task, `${pointer}/call`, use, mode);
  }
}

type Section = "authentications" | "catalogs" | "errors" | "functions" | "retries" | "secrets" | "timeouts";

function namesIn(use: Use, section: Section): string[] {
  return section === "secrets" ? (use.secrets ?? []) : Object.keys(use[section] ?? {});
}

function* known(section: Section, name: string, pointer: string, use: Use): Generator<Diagnostic> {
  const names = namesIn(use, section);
  if (names.includes(name)) return;
  const hint = didYouMean(nearest(name, names)) ?? `add it to /use/${section}`;
  yield error("unknown_reference", pointer, `\`${name}\` is not in use.${section}`, hint);
}

const VERSION = SEMVER_PATTERN.slice(1, -1);
const CATALOGED = new RegExp(`^[^:@/]+:(?:${VERSION})@([^@]+)$`);

/** A name in `use.functions`, a URL, or `name:version@catalog`. */
function* checkFunction(task: CallTask, pointer: string, use: Use, mode: Mode): Generator<Diagnostic> {
  const name = task.call;
  if (Object.hasOwn(use.functions ?? {}, name) || /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(name)) return;
  const catalog = CATALOGED.exec(name)?.at(-1);
  if (catalog !== undefined) {
    if (catalog !== "default") yield* known("catalogs", catalog, pointer, use);
  } else if (name === "rule")
    yield error(
      "unsupported",
      pointer,
      "`call: rule` is not offered",
      "write the rule as `switch` or `assert`",
    );
  else if (mode === "strict" && (DIALECT_CALLS as readonly string[]).includes(name))
    yield error(
      "unknown_reference",
      pointer,
      `\`${name}\` is not in use.functions`,
      "the dialect's calls need mode light",
    );
  else {
    const calls = [...PROTOCOL_CALLS, ...(mode === "light" ? DIALECT_CALLS : [])];
    const meant = nearest(name, [...Object.keys(use.functions ?? {}), ...calls]);
    const hint = didYouMean(meant) ?? "define it there, or give a URL or name:version@catalog";
    yield error("unknown_reference", pointer, `\`${name}\` is not in use.functions`, hint);
  }
}

function* checkReserved(use: Use, mode: Mode): Generator<Diagnostic> {
  const reserved: readonly string[] = [...PROTOCOL_CALLS, ...(mode === "light" ? DIALECT_CALLS : [])];
  for (const name of Object.keys(use.functions ?? {}))
    if (reserved.includes(name))
      yield error(
        "reserved_name",
        joinPointer("/use/functions", name),
        `\`call: ${name}\` has a meaning of its own`,
      );
  for (const [section, names] of [
    ["secrets", use.secrets ?? []],
    ["extensions", (use.extensions ?? []).flatMap((item) => Object.keys(item))],
  ] as const)
    for (const [index, name] of names.entries())
      if (names.indexOf(name) !== index)
        yield error("duplicate_name", joinPointer(`/use/${section}`, index), `\`${name}\` is there twice`);
}
