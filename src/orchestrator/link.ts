import { digestOf } from "../base/canonical.ts";
import { type Failure, fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { CallError, type ResourceEndpoint, resolveFunction } from "../calls/index.ts";
import { schemaProblem } from "../engine/index.ts";
import {
  isTask,
  joinPointer,
  loadValue,
  pointerTokens,
  type Use,
  valueAt,
  type WorkflowDocument,
  walkTasks,
} from "../workflow/index.ts";
import { documentPlaces } from "../workflow/scopes.ts";

/** A document that has all it needs inside, and its digest. */
export interface Linked {
  readonly document: JsonObject;
  readonly digest: string;
}

type ReadResource = (endpoint: ResourceEndpoint) => Promise<Uint8Array>;

/** What a person would bring together by hand; a circle of functions never ends. */
const MOST_PARTS = 100;

/** The parts of a document that stand elsewhere. */
function* elsewhere(document: WorkflowDocument): Generator<{ kind: Kind; pointer: string }> {
  const own = document.use?.functions ?? {};
  for (const { task, pointer } of walkTasks(document)) {
    if (isTask(task, "call") && /:\/\/|@/.test(task.call) && !Object.hasOwn(own, task.call))
      yield { kind: "function", pointer: `${pointer}/call` };
    if (isTask(task, "run") && "script" in task.run && "source" in task.run.script)
      yield { kind: "script", pointer: joinPointer(pointer, "run", "script") };
  }
  for (const { schema, value, pointer } of documentPlaces(document, "light"))
    if (schema.$id === "SchemaDefinition" && isObject(value) && "resource" in value)
      yield { kind: "schema", pointer };
}
type Kind = "function" | "script" | "schema";

/**
 * Fetch what stands elsewhere (functions, schemas, scripts) and put it into the document, whose digest then covers it: what
 * runs is what was there at publication, whatever becomes of the address. Documents without such parts are given back.
 * @throws Failure `document_invalid` with the pointer, `unavailable` where an address did not answer
 */
export async function linkDocument(
  document: JsonObject,
  digest: string,
  readResource: ReadResource,
): Promise<Linked> {
  const typed = (value: JsonObject) => value as unknown as WorkflowDocument;
  let found = [...elsewhere(typed(document))];
  if (found.length === 0) return { document, digest };
  const linked = structuredClone(document);
  const read = (endpoint: Json | undefined) => readResource(resolved(linked, endpoint));
  for (let parts = 0; found.length > 0; found = [...elsewhere(typed(linked))]) {
    for (const { kind, pointer } of found) {
      if (++parts > MOST_PARTS)
        throw fail("document_invalid", `${pointer}: more than ${MOST_PARTS} parts stand elsewhere`);
      try {
        await PARTS[kind](linked, pointer, read);
      } catch (error) {
        throw located(error, pointer);
      }
    }
  }
  return { document: linked, digest: digestOf(linked) };
}

type Link = (
  document: JsonObject,
  pointer: string,
  read: (endpoint: Json | undefined) => Promise<Uint8Array>,
) => Promise<void>;

const PARTS: Readonly<Record<Kind, Link>> = {
  async function(document, pointer, read) {
    const name = valueAt(document, pointer) as string;
    const use = (document["use"] ?? {}) as JsonObject;
    const { task } = await resolveFunction(name, {
      use: use as unknown as Use,
      readResource: (endpoint) => read(endpoint as Json),
      mode: "light",
    });
    const functions = { ...((use["functions"] ?? {}) as JsonObject), [name]: task as unknown as Json };
    document["use"] = { ...use, functions };
  },
  async schema(document, pointer, read) {
    const { resource, ...rest } = valueAt(document, pointer) as JsonObject;
    const text = new TextDecoder().decode(await read((resource as JsonObject)["endpoint"]));
    const value = loadValue(text);
    const problem = schemaProblem(value);
    if (problem !== null) throw fail("document_invalid", problem);
    replace(document, pointer, { ...rest, document: value });
  },
  async script(document, pointer, read) {
    const { source, ...rest } = valueAt(document, pointer) as JsonObject;
    const code = new TextDecoder().decode(await read((source as JsonObject)["endpoint"]));
    replace(document, pointer, { ...rest, code });
  },
};

function replace(document: JsonObject, pointer: string, value: Json): void {
  const tokens = pointerTokens(pointer);
  const holder = valueAt(document, joinPointer("", ...tokens.slice(0, -1))) as JsonObject;
  holder[tokens.at(-1)!] = value;
}

/** The endpoint with the policy that it names. Publication has no instance, so neither expressions nor secrets. */
function resolved(document: JsonObject, endpoint: Json | undefined): ResourceEndpoint {
  if (typeof endpoint === "string") return literal(endpoint);
  const { uri, authentication } = (endpoint ?? {}) as JsonObject;
  if (authentication === undefined) return literal(String(uri));
  const name = (authentication as JsonObject)["use"];
  const policy =
    typeof name === "string"
      ? (valueAt(document, joinPointer("/use/authentications", name)) as JsonObject)
      : (authentication as JsonObject);
  if (Object.values(policy).some((scheme) => isObject(scheme) && "use" in scheme))
    throw fail("unsupported", "what is fetched at publication cannot name a secret");
  if (JSON.stringify(policy).includes("${"))
    throw fail("unsupported", "what is fetched at publication cannot have expressions in its authentication");
  return { uri: literal(String(uri)), authentication: policy };
}

function literal(uri: string): string {
  if (uri.startsWith("${"))
    throw fail("unsupported", "what is fetched at publication cannot have an expression as its address");
  return uri;
}

function located(error: unknown, pointer: string): Failure {
  if (error instanceof CallError) {
    const code =
      error.type === "communication" || error.type === "timeout" ? "unavailable" : "document_invalid";
    return fail(code, `${pointer}: ${error.detail}`);
  }
  const failure = error as Failure;
  return fail(failure.code ?? "internal", `${pointer}: ${failure.message}`, { cause: error });
}
