import { Failure } from "../../base/errors.ts";
import { isObject } from "../../base/json.ts";
import type { Client } from "../../host/index.ts";
import type { CutStream, EventLine, LogLine } from "../../service/index.ts";
import type { Io } from "../io.ts";
import type { Paint } from "../paint.ts";
import { duration } from "./report.ts";
import { tellStuck } from "./tell-stuck.ts";

/** Long enough that a quiet run costs next to nothing. */
const POLL_MS = 20_000;
const TICK_MS = 200;

/**
 * Show a run as it goes, on stderr: a line a step with its number and time, the output of its commands as it comes, and
 * on a terminal a line that counts the seconds. Ends with the run, or when `stop` is aborted.
 */
export async function watchRun(client: Client, runId: string, io: Io, stop: AbortSignal): Promise<void> {
  const screen = new Screen(io, await stepCount(client, runId));
  const ended = new AbortController();
  const signal = AbortSignal.any([stop, ended.signal]);
  try {
    await Promise.all([
      followEvents(client, runId, stop, (event) => screen.event(event)).finally(() => {
        // The last output is already stored when the last event is; one more read finds it.
        setTimeout(() => ended.abort(), 0);
      }),
      followLogs(client, runId, signal, (chunk) => screen.log(chunk)),
      tellStuck(client, runId, signal, (step, reason) => screen.stuck(step, reason)),
    ]);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    screen.close();
  }
}

async function stepCount(client: Client, runId: string): Promise<number> {
  const document = await client.call("getRunWorkflow", { run_id: runId });
  const list = isObject(document) ? document["do"] : null;
  return Array.isArray(list) ? list.length : 0;
}

export async function followEvents(
  client: Client,
  runId: string,
  stop: AbortSignal,
  each: (event: EventLine) => void,
  after = 0,
): Promise<void> {
  for (let position = after; !stop.aborted; ) {
    const answer = await client.call("getEvents", { run_id: runId, after: position, wait_ms: POLL_MS }, stop);
    for (const event of answer.events) each(event);
    position = answer.events.at(-1)?.seq ?? position;
    if (answer.finished && answer.events.length === 0) return;
  }
}

/** @returns the streams of which not all was received */
export async function followLogs(
  client: Client,
  runId: string,
  stop: AbortSignal,
  each: (chunk: LogLine) => void,
  options: { stepId?: string; follow?: boolean } = {},
): Promise<readonly CutStream[]> {
  for (let position = 0; ; ) {
    const input = {
      run_id: runId,
      after: position,
      step_id: options.stepId,
      wait_ms: options.follow === false ? 0 : POLL_MS,
    };
    let answer: Awaited<ReturnType<typeof client.call<"getLogs">>>;
    try {
      answer = await client.call(
        "getLogs",
        { ...input, ...(stop.aborted ? { wait_ms: 0 } : {}) },
        stop.aborted ? undefined : stop,
      );
    } catch (error) {
      if (stop.aborted && !(error instanceof Failure)) continue;
      throw error;
    }
    for (const chunk of answer.chunks) each(chunk);
    position = answer.chunks.at(-1)?.position ?? position;
    if (answer.chunks.length === 0 && (answer.finished || stop.aborted || options.follow === false))
      return answer.truncated;
  }
}

interface Running {
  readonly number: number;
  readonly since: number;
}

/** How an option is written as an answer: a text as it stands, any other value as JSON. */
function choiceOf(option: unknown): string {
  const value = isObject(option) && "value" in option ? option["value"] : option;
  return typeof value === "string" && /^[\w.-]+$/.test(value) ? value : `'${JSON.stringify(value)}'`;
}

/** The terminal while a run is watched. */
class Screen {
  readonly #io: Io;
  readonly #total: number;
  readonly #paint: Paint;
  readonly #running = new Map<string, Running>();
  readonly #decoders = new Map<string, TextDecoder>();
  readonly #partial = new Map<string, string>();
  readonly #timer: ReturnType<typeof setInterval> | null;
  #count = 0;

  constructor(io: Io, total: number) {
    this.#io = io;
    this.#total = total;
    this.#paint = io.errorPaint;
    const moves = io.stderr.isTerminal && io.env["TERM"] !== "dumb";
    this.#timer = moves ? setInterval(() => this.#tick(), TICK_MS) : null;
  }

  event(event: EventLine): void {
    if (event.step_id === null) return;
    const key = event.reference ?? event.step_id;
    const detail = isObject(event.detail) ? event.detail : {};
    if (event.event === "step.started") {
      this.#running.set(key, { number: ++this.#count, since: performance.now() });
      return;
    }
    const running = this.#running.get(key);
    const number = running === undefined ? "" : `${running.number}/${Math.max(this.#total, this.#count)} `;
    switch (event.event) {
      case "step.attempt_started":
        this.#line(
          `${this.#paint.dim("▸")} ${number}${event.step_id} ${this.#paint.dim(`on ${detail["runner_id"]} (${detail["sandbox"] ?? "?"})`)}`,
        );
        return;
      case "step.succeeded":
        this.#running.delete(key);
        this.#line(
          `${this.#paint.green("✓")} ${number}${event.step_id} ${this.#paint.dim(duration(detail["duration_ms"] as number))}`,
        );
        return;
      case "step.failed": {
        this.#running.delete(key);
        const error = isObject(detail["error"]) ? detail["error"] : {};
        this.#line(
          `${this.#paint.red("✗")} ${number}${event.step_id} ${duration(detail["duration_ms"] as number)}: ${error["detail"] ?? error["title"] ?? ""}`,
        );
        return;
      }
      case "step.cancelled":
        this.#running.delete(key);
        this.#line(`– ${number}${event.step_id} cancelled`);
        return;
      case "step.skipped":
        this.#line(`${this.#paint.dim(`· ${event.step_id} skipped`)}`);
        return;
      case "step.requeued":
        this.#line(`↻ ${number}${event.step_id}: ${detail["reason"] ?? "again"}`);
        return;
      case "step.outcome_unknown":
        this.#line(
          `${this.#paint.red("?")} ${number}${event.step_id}: ${detail["reason"]}; an operator has to decide: lightflow inbox list`,
        );
        return;
      case "step.asked": {
        const options = Array.isArray(detail["options"])
          ? detail["options"].map(choiceOf).join("|")
          : "ANSWER";
        this.#line(`${this.#paint.yellow("?")} ${number}${event.step_id}: ${detail["prompt"]}`);
        this.#line(`  ${this.#paint.dim(`lightflow ask answer ${detail["operator_task"]} ${options}`)}`);
        return;
      }
      case "step.approval_requested":
        this.#line(`${this.#paint.yellow("?")} ${number}${event.step_id} waits for an approval`);
        this.#line(`  ${this.#paint.dim(`lightflow approvals show ${detail["approval"]}`)}`);
        return;
      case "step.progress":
        this.#line(
          `  ${event.step_id} ${detail["value"]}${detail["maximum"] === undefined ? "" : `/${detail["maximum"]}`} ${detail["message"] ?? ""}`,
        );
        return;
      default:
    }
  }

  log(chunk: LogLine): void {
    const key = `${chunk.step_id}/${chunk.attempt}/${chunk.stream}`;
    let decoder = this.#decoders.get(key);
    if (decoder === undefined) {
      decoder = new TextDecoder();
      this.#decoders.set(key, decoder);
    }
    const text =
      (this.#partial.get(key) ?? "") +
      decoder.decode(Buffer.from(chunk.data, "base64"), { stream: !chunk.final });
    const lines = text.split("\n");
    const rest = lines.pop()!;
    this.#partial.set(key, chunk.final ? "" : rest);
    if (chunk.final && rest !== "") lines.push(rest);
    for (const line of lines)
      this.#line(`  ${this.#paint.dim(`${chunk.step_id} │`)} ${Bun.stripANSI(asShown(line))}`);
  }

  stuck(step: string, reason: string): void {
    this.#line(`${this.#paint.yellow("!")} ${step} waits: ${reason}`);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#io.stderr.status("");
  }

  #line(text: string): void {
    this.#io.stderr.line(text);
  }

  #tick(): void {
    const now = performance.now();
    const texts = [...this.#running].map(
      ([key, { number, since }]) =>
        `${number}/${Math.max(this.#total, this.#count)} ${key.split("/").at(-1)} ${((now - since) / 1000).toFixed(1)} s`,
    );
    this.#io.stderr.status(texts.length === 0 ? "" : `  … ${texts.join(", ")}`);
  }
}

/** What a terminal would show of a line that writes over itself. */
const asShown = (line: string): string => line.replace(/\r$/, "").split("\r").at(-1)!;
