import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { ERRORS, type ErrorCode } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import type { AgentUse, AgentWork } from "../../protocol/index.ts";
import { nothingUsed } from "./broker.ts";

export interface Transcript {
  readonly use: AgentUse;
  /** Why its broker ended the agent, where it did. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
}

/**
 * What an earlier process of this runner wrote down of an agent's call. A transcript that is cut off says so in a last line of
 * its own, and is whole lines from then on.
 * @param journal its file
 * @returns null where there is none
 */
export function readTranscript(journal: string, work: AgentWork): Transcript | null {
  if (!existsSync(journal)) return null;
  const text = readFileSync(journal, "utf8");
  const entries: JsonObject[] = [];
  let torn = !text.endsWith("\n") && text !== "";
  for (const line of text.split("\n")) {
    const entry = parsed(line);
    if (entry !== null) entries.push(entry);
    else if (line !== "") torn = true;
  }
  const last = entries.findLast(({ use }) => isObject(use));
  const use: AgentUse = { ...nothingUsed(work), ...((last?.["use"] as Partial<AgentUse> | undefined) ?? {}) };
  const ended = entries.find(({ kind }) => kind === "ended");
  if (entries.at(-1)?.["kind"] !== "closed" && !entries.some(({ kind }) => kind === "interrupted"))
    append(journal, { seq: entries.length, kind: "interrupted", use: { ...use } }, torn);
  return { use, failure: ended === undefined ? null : failureOf(ended) };
}

function parsed(line: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? (value as JsonObject) : null;
  } catch {
    return null;
  }
}

function failureOf({ code, message }: JsonObject): NonNullable<Transcript["failure"]> {
  const known = typeof code === "string" && Object.hasOwn(ERRORS, code);
  return { code: known ? (code as ErrorCode) : "execution_outcome_unknown", message: String(message) };
}

function append(journal: string, entry: JsonObject, torn: boolean): void {
  const file = openSync(journal, "a", 0o600);
  try {
    writeSync(file, `${torn ? "\n" : ""}${JSON.stringify(entry)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
