import { closeSync, copyFileSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isoTime } from "../../base/clock.ts";
import { makePrivateDirectory, syncDirectory, writeFileDurable } from "../../base/files.ts";
import { randomToken } from "../../base/ids.ts";
import { listEvents, listTrace, type Plan } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { manifestOf } from "./manifest.ts";

/** Where the readable copies of runs lie. */
export const runDirectory = (context: ServiceContext, runId: string): string =>
  join(context.stateDirectory, "runs", runId);

export const prettyJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/**
 * Write the directory of a run anew from the store. It is a copy for shell tools and never read back, so a disk that is
 * full does not undo what the store has kept: the next change, or `run export`, writes it again.
 */
export function exportPlan(context: ServiceContext, plan: Plan): void {
  try {
    writePlan(context, plan, runDirectory(context, plan.instance.run_id));
  } catch {
    // See above.
  }
}

export function writePlan(context: ServiceContext, plan: Plan, directory: string): void {
  makePrivateDirectory(join(directory, "outputs"));
  writeFileDurable(join(directory, "request.json"), prettyJson(plan.request));
  writeFileDurable(join(directory, "resolved_workflow.json"), prettyJson(plan.definition));
  writeLines(join(directory, "events.jsonl"), eventLines(context, plan.instance));
  writeLines(join(directory, "trace.jsonl"), traceLines(context, plan));
  for (const step of manifestOf(plan).steps) {
    const source = step.response_path ?? step.error_path;
    if (source === null) continue;
    const name = step.response_path === null ? `${step.step_id}.error` : `${step.step_id}.json`;
    copyWhenThere(source, join(directory, "outputs", name));
  }
  // The manifest comes last: a reader that sees a state finds its events.
  writeFileDurable(join(directory, "manifest.json"), prettyJson(manifestOf(plan)));
}

/** Answers stay in `/ctx`, which may be gone by now. */
function copyWhenThere(source: string, target: string): void {
  try {
    copyFileSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw error;
  }
}

const PAGE = 1000;

/** A run's events as JSONL, a page at a time. */
export function* eventLines(context: ServiceContext, run: { id: string; run_id: string }): Generator<string> {
  for (let after = 0; ; ) {
    const events = context.views.read(listEvents, {
      instanceId: run.id,
      runId: run.run_id,
      after,
      limit: PAGE,
    });
    if (events.length === 0) return;
    for (const event of events) yield JSON.stringify({ ...event, ts: isoTime(event.ts) });
    after = events.at(-1)!.seq;
  }
}

function* traceLines(context: ServiceContext, plan: Plan): Generator<string> {
  for (let after = 0; ; ) {
    const lines = context.views.read(listTrace, { instanceId: plan.instance.id, after, limit: PAGE });
    if (lines.length === 0) return;
    for (const line of lines)
      yield JSON.stringify({ ...line, run_id: plan.instance.run_id, ts: isoTime(line.ts) });
    after = lines.at(-1)!.seq;
  }
}

const CHUNK = 256 * 1024;

/** Replace a file by lines, of which only a chunk is in memory; a crash leaves the old file or the new one. */
export function writeLines(path: string, lines: Iterable<string>): void {
  const temporary = `${path}.${randomToken(6)}.tmp`;
  const fd = openSync(temporary, "wx", 0o600);
  try {
    let text = "";
    const flush = () => {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      text = "";
    };
    for (const line of lines) {
      text += `${line}\n`;
      if (text.length > CHUNK) flush();
    }
    flush();
    fsyncSync(fd);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  syncDirectory(join(path, ".."));
}
