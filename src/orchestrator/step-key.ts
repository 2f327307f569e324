import { canonicalJson, sha256 } from "../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { VERSION } from "../base/version.ts";
import type { CallEffectRequest, Definition, RunRequest } from "../engine/index.ts";
import { touchesSession, workspaceWish } from "../protocol/index.ts";
import type { StepKey } from "../store/index.ts";

export type CacheableEffect =
  | { kind: "run"; reference: string; request: RunRequest }
  | { kind: "call"; reference: string; request: CallEffectRequest };

/** Raised when the meaning of a key changes: what was kept under older ones is never found again. */
const FORMAT = 1;

/** Of an asset the steps are cached unless they are impure; of another document those that ask for it. */
export function keepsOutputs(document: JsonObject): boolean {
  return isAsset(document) || JSON.stringify(document["do"]).includes('"cache":true');
}

function isAsset(document: JsonObject): boolean {
  const named = document["document"] as JsonObject | undefined;
  const light = (named?.["metadata"] as JsonObject | undefined)?.["lightFlow"];
  return isObject(light) && typeof (light as JsonObject)["assetId"] === "string";
}

/** The pointer of a task in its document: its reference without iteration and visit. */
const pointerOf = (reference: string): string => reference.replace(/(?:\[\d+\])*(?:#\d+)?$/, "");

/** `metadata.lightFlow` of the task that asked for an effect. */
function lightFlowOf(task: JsonObject): JsonObject {
  const metadata = task["metadata"];
  const light = isObject(metadata) ? (metadata as JsonObject)["lightFlow"] : undefined;
  return isObject(light) ? (light as JsonObject) : {};
}

/**
 * Why a step is done anew each time, or null for one whose output may be kept. What a step sees must stand in its key:
 * a workspace that other steps write, a directory of the host or a service on the network does not.
 */
export function uncacheable(definition: Definition, effect: CacheableEffect): string | null {
  const task = definition.at(pointerOf(effect.reference));
  if (!isObject(task)) return "the step has no place of its own in the document";
  const light = lightFlowOf(task as JsonObject);
  if (light["impure"] === true) return "the step is declared impure";
  const asked = light["cache"] === true;
  if (!asked && !isAsset(definition.document)) return "a document's steps are cached where they ask for it";
  if (effect.kind === "run") {
    const { light: run } = effect.request;
    if (run["action"] !== undefined)
      return "the step does an action, which looks for itself whether it was done";
    if (run["agent"] !== undefined) return "the step asks a model";
    if (touchesSession(run["workspace"]))
      return "the step shares the run's workspace with others; give it a workspace of its own";
    if (
      (Array.isArray(run["mounts"]) && run["mounts"].length > 0) ||
      workspaceWish(run["workspace"]).kind === "copy"
    )
      return "the step reads a directory of the host";
    return null;
  }
  if (asked) return null;
  if (effect.request.call !== "cortex") return "the step calls a service";
  const target = effect.request.with["target"];
  const kind = isObject(target) ? (target as JsonObject)["kind"] : undefined;
  return kind === "api" ? null : `the step calls a ${String(kind)}, which may remember`;
}

/** The digest of a part of a key: long enough that no two parts of one installation meet. */
const short = (value: unknown): string => sha256(canonicalJson(value)).slice(0, 32);

/** By the task itself: a document that runs is never changed. */
const taskParts = new WeakMap<JsonObject, Record<"asset" | "definition" | "model", string>>();

/** The parts of a key that stand in the document, the same for each run of it. */
function partsOfTask(task: JsonObject): Record<"asset" | "definition" | "model", string> {
  const known = taskParts.get(task);
  if (known !== undefined) return known;
  const light = lightFlowOf(task);
  const metadata = (task["metadata"] ?? {}) as JsonObject;
  const parts = {
    asset: short({ node: light["node"] ?? null, source: light["source"] ?? null }),
    definition: short({
      run: task["run"] ?? null,
      call: task["call"] ?? null,
      with: task["with"] ?? null,
      light: metadata["lightWorkflow"] ?? null,
    }),
    model: short(light["models"] ?? null),
  };
  taskParts.set(task, parts);
  return parts;
}

/** What a step's output depends on, part by part, so that a miss can say which part differed. */
export function stepKey(
  definition: Definition,
  effect: CacheableEffect,
  payload: JsonObject | null,
): StepKey | null {
  if (uncacheable(definition, effect) !== null) return null;
  const task = definition.at(pointerOf(effect.reference)) as JsonObject;
  const parts = partsOfTask(task);
  const executor = executorOf(effect, payload);
  const inputs = inputsOf(effect);
  // Most steps are asked for again and again with the same inputs: printing them costs a tenth of ten digests.
  const text = JSON.stringify([executor, inputs]);
  const keys = keysOfTask(task);
  const known = keys.get(text);
  if (known !== undefined) return known;
  const components: Record<string, string> = { ...parts, executor: short(executor) };
  for (const [name, value] of leaves(inputs)) components[`inputs.${name}`] = short(value);
  const key = { key: sha256(canonicalJson({ format: FORMAT, components })), components };
  if (text.length <= KEPT_TEXT) {
    if (keys.size >= KEPT_KEYS) keys.clear();
    keys.set(text, key);
  }
  return key;
}

/** Keys of a task that are remembered, and how long the text of one may be, in characters. */
const KEPT_KEYS = 16;
const KEPT_TEXT = 4096;

/** Keys by what they were made of, beside the task. */
const taskKeys = new WeakMap<JsonObject, Map<string, StepKey>>();

function keysOfTask(task: JsonObject): Map<string, StepKey> {
  let keys = taskKeys.get(task);
  if (keys === undefined) {
    keys = new Map();
    taskKeys.set(task, keys);
  }
  return keys;
}

/** Who executes a step: another profile or sandbox, or another version of what is built in, may answer differently. */
function executorOf(effect: CacheableEffect, payload: JsonObject | null): Json {
  if (effect.kind === "call") return { kind: "call", call: effect.request.call, version: VERSION };
  const { runnerPool, executionProfile, capabilities, commandTemplateId, sandbox, network } = payload ?? {};
  return {
    kind: "run",
    type: effect.request.type,
    runnerPool: runnerPool ?? null,
    executionProfile: executionProfile ?? null,
    capabilities: capabilities ?? null,
    commandTemplateId: commandTemplateId ?? null,
    sandbox: sandbox ?? null,
    network: network ?? null,
    // `lightflow code` is this very executable.
    ...(effect.request.light["code"] === undefined ? {} : { version: VERSION }),
  };
}

function inputsOf(effect: CacheableEffect): JsonObject {
  if (effect.kind === "call") return { with: effect.request.with, secrets: effect.request.secrets };
  const { request } = effect;
  const { arguments: list, environment, stdin, light } = request;
  return {
    ...(request.type === "run.container" ? { image: request.image } : {}),
    command: request.command ?? null,
    arguments: list,
    environment,
    stdin: stdin ?? null,
    files: light["files"] ?? null,
  };
}

/** Parts of a key at most; beyond them the rest is one part. */
const PARTS = 64;

/** The values of an object by their path, two levels down. */
function* leaves(value: JsonObject): Generator<[string, Json]> {
  let left = PARTS;
  for (const [name, member] of Object.entries(value)) {
    if (typeof member !== "object" || member === null || Object.keys(member).length > left) {
      yield [name, member];
      left--;
      continue;
    }
    // An empty list is not the same as none.
    yield [name, Array.isArray(member) ? member.length : null];
    for (const [key, item] of Object.entries(member)) {
      yield [Array.isArray(member) ? `${name}[${key}]` : `${name}.${key}`, item as Json];
      left--;
    }
  }
}
