import { fail, toFailure } from "../../src/base/errors.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { textOf } from "../providers/conversation.ts";
import type { Engine } from "./engine.ts";
import { type Actor, actorFacts } from "./plan.ts";
import { listValues } from "./providers.ts";
import { schemaProblem } from "./schema-check.ts";

const JOB_KINDS = ["translate", "prompt", "copy", "tool"] as const;

/** `KEY=VALUE` lines; undefined if a line is none. */
export function parseSpec(text: string): Map<string, string> | undefined {
  const values = new Map<string, string>();
  for (const entry of listValues(text)) {
    if (entry.startsWith("#")) continue;
    const at = entry.indexOf("=");
    if (at <= 0) return undefined;
    values.set(entry.slice(0, at).trim(), entry.slice(at + 1).trim());
  }
  return values;
}

/** Whether a text is a job's specification: its kind is one of those that exist. */
export function isJobSpec(text: string): boolean {
  const kind = parseSpec(text)?.get("kind");
  return kind !== undefined && (JOB_KINDS as readonly string[]).includes(kind);
}

/**
 * Run a job on an input and return what `out.json` holds. Kinds: `translate` (model, `from`, `to`), `prompt` (model,
 * `prompt` with `{input}`, `{from}`, `{to}`), `copy` (the input itself), `tool` (`tool`, the input is its JSON).
 * `fields` picks members of the result.
 */
async function runJob(
  engine: Engine,
  actor: Actor,
  spec: Map<string, string>,
  input: string,
): Promise<JsonObject> {
  const value = (name: string): string => spec.get(name) ?? "";
  const all: JsonObject = {
    text: await outputOf(engine, actor, spec, input),
    from: value("from"),
    to: value("to"),
    input,
  };
  const fields = value("fields")
    .split(",")
    .map((field) => field.trim())
    .filter((field) => field !== "");
  if (fields.length === 0) return all;
  return Object.fromEntries(fields.map((field): [string, Json] => [field, all[field] ?? null]));
}

async function outputOf(
  engine: Engine,
  actor: Actor,
  spec: Map<string, string>,
  input: string,
): Promise<Json> {
  const value = (name: string): string => spec.get(name) ?? "";
  switch (spec.get("kind")) {
    case "copy":
      return input;
    case "tool":
      return runToolJob(engine, actor, value("tool"), input);
    case "translate": {
      const from = value("from") === "" || value("from") === "auto" ? "" : ` from ${value("from")}`;
      const system = `Translate the user's text${from} to ${value("to")}. Answer with the translation alone.`;
      return askModel(engine, actor, value("model"), system, input);
    }
    case "prompt": {
      const prompt = (value("prompt") || "{input}").replace(/\{(input|from|to)\}/g, (_, name: string) =>
        name === "input" ? input : value(name),
      );
      return askModel(engine, actor, value("model"), value("system"), prompt);
    }
    default:
      throw fail("invalid_request", "the job's spec names no known kind");
  }
}

async function askModel(
  engine: Engine,
  actor: Actor,
  model: string,
  system: string,
  prompt: string,
): Promise<string> {
  const route = engine.route(actor.uid, "openai.chat", model === "" ? undefined : model, prompt);
  if (route.reason !== "ready") {
    engine.audit.add({ event: "denied", ...actorFacts(actor), decision: route.reason, surface: "job" });
    throw fail("forbidden", `no route: ${route.reason}`);
  }
  const provider = engine.providers().get(route.provider)!;
  const body = {
    messages: [
      ...(system === "" ? [] : [{ role: "system", content: system }]),
      { role: "user", content: prompt },
    ],
  };
  const release = await engine.slots.take(provider.id, provider.limit);
  try {
    const result = await engine.chat(
      { format: "openai.chat", body, route, timeoutMs: provider.timeoutMs },
      { signal: new AbortController().signal, onDelta: () => {} },
    );
    engine.learn(result.attempts);
    return textOf(result.answer.parts);
  } finally {
    release();
  }
}

async function runToolJob(engine: Engine, actor: Actor, id: string, input: string): Promise<Json> {
  const tool = engine.tools.get(id);
  if (tool === undefined) throw fail("not_found", `no such tool: ${id}`);
  if (!engine.tools.isAllowed(tool, actor.uid)) {
    engine.audit.add({ event: "denied", ...actorFacts(actor), tool: id, decision: "deny" });
    throw fail("forbidden", `policy does not allow ${id}`);
  }
  let value: Json;
  try {
    value = JSON.parse(input) as Json;
  } catch {
    throw fail("invalid_json", "the input is not JSON");
  }
  const problem = schemaProblem(tool.inputSchema, value);
  if (problem !== undefined) throw fail("schema_violation", problem);
  return engine.runTool(tool, value as JsonObject, { ...actor, name: "job" }, new AbortController().signal);
}

/** Run and keep the outcome in `out.json` and `status` below `base`. Settles when both are on the disk. */
export async function runJobAt(
  engine: Engine,
  actor: Actor,
  base: string,
  spec: Map<string, string>,
  input: string,
): Promise<{ ok: boolean; status: string }> {
  engine.settings.put(`${base}/status`, "running");
  let status = "done";
  try {
    const output = await runJob(engine, actor, spec, input);
    engine.settings.put(`${base}/out.json`, JSON.stringify(output));
    engine.audit.add({ event: "drained", ...actorFacts(actor), name: base, surface: "job" });
  } catch (error) {
    const failure = toFailure(error instanceof Error && "failure" in error ? error.failure : error);
    status = `failed: ${failure.code}: ${failure.message}`;
    engine.settings.put(`${base}/out.json`, JSON.stringify({ error: failure.message, code: failure.code }));
    engine.audit.add({
      event: "error",
      ...actorFacts(actor),
      name: base,
      surface: "job",
      error: failure.code,
    });
  }
  await engine.settings.set(`${base}/status`, status.replaceAll("\n", " "));
  return { ok: status === "done", status };
}
