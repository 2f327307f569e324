import { isAbsolute, resolve } from "node:path";
import { canonicalJson } from "../base/canonical.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { joinPointer } from "../base/pointer.ts";
import type { Port, WorkflowDef } from "./definition/types.ts";
import { orNearest } from "./nearest.ts";

/** One thing wrong with the inputs of a run. `path` is a JSON pointer into them. */
export interface InputIssue {
  readonly code: "input_unknown" | "input_missing" | "input_invalid";
  readonly path: string;
  readonly message: string;
}

/** How a value fails a port ("is not …"), or nothing. */
export function issueOf(
  port: Omit<Port, "enum"> & { enum?: readonly Json[] | undefined },
  value: Json,
): string | undefined {
  if (port.list === true) {
    if (!Array.isArray(value)) return "is not a list";
    for (const [index, item] of value.entries()) {
      const issue = issueOf({ ...port, list: false }, item);
      if (issue !== undefined) return `has an item at ${index} that ${issue}`;
    }
    return undefined;
  }
  switch (port.type) {
    case "integer":
      if (!Number.isSafeInteger(value)) return "is not an integer";
      break;
    case "number":
      if (typeof value !== "number" || !Number.isFinite(value)) return "is not a number";
      break;
    case "boolean":
      if (typeof value !== "boolean") return "is neither true nor false";
      break;
    case "string":
      if (typeof value !== "string") return "is not a string";
      break;
    case "path":
      if (typeof value !== "string" || value === "" || value.includes("\0")) return "is not a path";
      break;
    case "artifact":
      if (typeof value !== "string" || !ARTIFACT.test(value)) return "is not sha256: and 64 hex digits";
      break;
    case "json":
      break;
  }
  if (typeof value === "number") {
    if (port.minimum !== undefined && value < port.minimum) return `is below ${port.minimum}`;
    if (port.maximum !== undefined && value > port.maximum) return `is above ${port.maximum}`;
  }
  if (port.pattern !== undefined && !new RegExp(`^(?:${port.pattern})$`, "u").test(String(value))) {
    return `does not match ${port.pattern}`;
  }
  if (port.enum !== undefined && !port.enum.some((item) => canonicalJson(item) === canonicalJson(value))) {
    return `is none of ${port.enum.map((item) => JSON.stringify(item)).join(", ")}`;
  }
  return undefined;
}

const ARTIFACT = /^sha256:[0-9a-f]{64}$/;

/**
 * Everything that is wrong with a run's inputs against the ports of its definition. A definition without ports
 * says nothing here: its JSON schema stands in the document, where the start of a run enforces it.
 */
export function checkInputs(definition: WorkflowDef, inputs: Json): InputIssue[] {
  const ports = definition.inputs;
  if (ports === undefined) return [];
  if (inputs !== null && !isObject(inputs)) {
    return [{ code: "input_invalid", path: "", message: "the inputs are not a JSON object" }];
  }
  const given = (inputs ?? {}) as JsonObject;
  const issues: InputIssue[] = [];
  for (const [name, port] of Object.entries(ports)) {
    const path = `/${name}`;
    const value = Object.hasOwn(given, name) ? given[name]! : undefined;
    if (value === undefined) {
      if (port.required === true) {
        const what = port.description === undefined ? "" : `: ${port.description}`;
        issues.push({
          code: "input_missing",
          path,
          message: `the input ${name} (${port.type}) is missing${what}`,
        });
      }
      continue;
    }
    const issue = issueOf(port, value);
    if (issue !== undefined)
      issues.push({ code: "input_invalid", path, message: `the input ${name} ${issue}` });
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(ports, name)) continue;
    issues.push({
      code: "input_unknown",
      path: joinPointer("", name),
      message: `there is no input ${name}${orNearest(name, Object.keys(ports))}`,
    });
  }
  return issues;
}

/** Seeds are drawn below this: every random generator takes 32 bits. */
const SEEDS = 2 ** 32;

/**
 * The inputs that a run starts with: defaults put in, seeds drawn by `random` (in [0, 1)), and relative values of
 * `path` ports taken from `directory`, because the runner has another working directory than the person who wrote them.
 */
export function completeInputs(
  definition: WorkflowDef,
  inputs: Json,
  directory: string,
  random?: () => number,
): Json {
  const ports = definition.inputs;
  if (ports === undefined || (inputs !== null && !isObject(inputs))) return inputs;
  const result: JsonObject = { ...(inputs as JsonObject | null) };
  for (const [name, port] of Object.entries(ports)) {
    if (!Object.hasOwn(result, name)) {
      if (port.default !== undefined) result[name] = port.default;
      else if (port.seed === true && random !== undefined) result[name] = drawSeed(port, random);
      continue;
    }
    const value = result[name]!;
    if (port.type === "path") {
      result[name] = Array.isArray(value)
        ? value.map((item) => absolute(item, directory))
        : absolute(value, directory);
    }
  }
  return result;
}

function absolute(value: Json, directory: string): Json {
  return typeof value === "string" && value !== "" && !isAbsolute(value) ? resolve(directory, value) : value;
}

function drawSeed(port: Port, random: () => number): number {
  const least = port.minimum ?? 0;
  const most = port.maximum ?? SEEDS - 1;
  return least + Math.floor(random() * (most - least + 1));
}
