import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { isExpression } from "../expression/index.ts";
import { isTask, joinPointer, type WorkflowDocument, walkTasks } from "../workflow/index.ts";

/** The calls that go out over a protocol; any other name is a function of the document. */
export const PROTOCOLS: ReadonlySet<string> = new Set([
  "http",
  "openapi",
  "grpc",
  "asyncapi",
  "a2a",
  "mcp",
  "cortex",
]);

export const mentionsSecrets = (text: string): boolean => /\$secrets\b/.test(text);

/** Whether any text of a value mentions `$secrets`. */
export function holdsSecrets(value: Json | undefined): boolean {
  if (typeof value === "string") return mentionsSecrets(value);
  if (Array.isArray(value)) return value.some(holdsSecrets);
  return isObject(value) && Object.values(value as JsonObject).some(holdsSecrets);
}

/**
 * Where `$secrets` may stand: in what a call sends, in the `input.from` of a call, and as the whole value of a variable of a
 * command. Nothing that is evaluated there enters the state. Pointers without a slash at their end.
 */
export function secretPlaces(document: WorkflowDocument): {
  evaluated: readonly string[];
  referenced: readonly string[];
} {
  const evaluated = ["/use/authentications"];
  const referenced: string[] = [];
  for (const { task, pointer } of walkTasks(document)) {
    // What goes through /ctx is a prompt, and no secret enters one.
    if (isTask(task, "call") && PROTOCOLS.has(task.call) && task.call !== "cortex")
      evaluated.push(joinPointer(pointer, "with"), joinPointer(pointer, "input", "from"));
    if (isTask(task, "run"))
      for (const kind of ["shell", "script", "container"])
        referenced.push(joinPointer(pointer, "run", kind, "environment"));
  }
  return { evaluated, referenced };
}

const REFERENCE = /^\s*\$\{\s*\$secrets(?:\.([A-Za-z_]\w*)|\.?\s*\[?\s*"([^"\\]+)"\s*\]?)\s*\}\s*$/;

/** The name in `${ $secrets.name }`, where that is the whole text; null for anything else. */
export function secretReference(text: string): string | null {
  const match = REFERENCE.exec(text);
  return match === null ? null : (match[1] ?? match[2]!);
}

/**
 * The expressions of a template that cannot be evaluated before its secrets are known, by their pointer in it, and the
 * template with null in their place.
 * @param all every expression, since what they see holds a secret
 */
export function deferExpressions(
  template: Json,
  all: boolean,
  loose: boolean,
): { template: Json; texts: Record<string, string> } {
  const texts: Record<string, string> = {};
  const walk = (value: Json, pointer: string): Json => {
    if (typeof value === "string") {
      const isOne = isExpression(value) || loose;
      if (!isOne || !(all || mentionsSecrets(value))) return value;
      texts[pointer] = value;
      return null;
    }
    if (Array.isArray(value)) return value.map((item, index) => walk(item, joinPointer(pointer, index)));
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value as JsonObject).map(([key, member]) => [
        key,
        walk(member, joinPointer(pointer, key)),
      ]),
    );
  };
  return { template: walk(template, ""), texts };
}
