import { digestOf } from "../../base/canonical.ts";
import { isObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { checkDocument, diagnosticText, type Mode, type Task, type Use } from "../../workflow/index.ts";
import { loadJson } from "../../workflow/load-json.ts";
import { loadYaml } from "../../workflow/load-yaml.ts";
import type { CallContext, ResourceEndpoint } from "../call.ts";
import { callError } from "../error.ts";
import { readEndpoint } from "../http/arguments.ts";

export interface ResolvedFunction {
  readonly task: Task;
  /** Where it was read; undefined for one of the document's own. */
  readonly uri?: string;
  /** Of the task, for whoever wants the same definition again. */
  readonly digest: string;
}

export interface FunctionSources {
  readonly use?: Pick<Use, "functions" | "catalogs">;
  readonly readResource: CallContext["readResource"];
  /** The catalog called `default` where the document defines none. */
  readonly defaultCatalog?: ResourceEndpoint;
  readonly mode: Mode;
}

const CATALOGED = /^([^:@/]+):([^@/]+)@([^@/]+)$/;
const URL_LIKE = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/**
 * The task behind `call: <function>`: a name in `use.functions`, an address, or `name:version@catalog`, which stands at
 * `functions/<name>/<version>/function.yaml` below the catalog's endpoint. What comes from elsewhere is validated like a
 * document, and sees nothing of the calling document's `use`.
 * @throws CallError `configuration`, or what reading the address threw
 */
export async function resolveFunction(call: string, sources: FunctionSources): Promise<ResolvedFunction> {
  const own = sources.use?.functions ?? {};
  if (Object.hasOwn(own, call)) return { task: own[call]!, digest: digestOf(own[call]) };
  const place = URL_LIKE.test(call) ? call : inCatalog(call, sources);
  const { uri: written, authentication } = readEndpoint(place as never, "catalog");
  const uri = rawAddress(written);
  const bytes = await sources.readResource(authentication === undefined ? uri : { uri, authentication });
  const task = readTask(new TextDecoder().decode(bytes), call, sources.mode);
  return { task, uri, digest: digestOf(task) };
}

function inCatalog(call: string, sources: FunctionSources): ResourceEndpoint {
  const match = CATALOGED.exec(call);
  if (match === null)
    throw callError(
      "configuration",
      `\`${call}\` is no function of the document, no address and not name:version@catalog`,
    );
  const [, name, version, catalog] = match;
  const catalogs = sources.use?.catalogs ?? {};
  const defined = Object.hasOwn(catalogs, catalog!) ? catalogs[catalog!]!.endpoint : undefined;
  const endpoint = defined ?? (catalog === "default" ? sources.defaultCatalog : undefined);
  if (endpoint === undefined) throw callError("configuration", `there is no catalog \`${catalog}\``);
  const { uri, authentication } = readEndpoint(endpoint as never, "catalog");
  const path = [name!, version!].map(encodeURIComponent).join("/");
  const below = `${uri.replace(/\/+$/, "")}/functions/${path}/function.yaml`;
  return authentication === undefined ? below : { uri: below, authentication };
}

/** Pages of GitHub and GitLab show a file; its bytes stand at another address (DSL reference, "Catalog"). */
export function rawAddress(uri: string): string {
  const github = /^https:\/\/github\.com\/([^/]+\/[^/]+)\/(?:blob|tree|raw)\/(.+)$/.exec(uri);
  if (github !== null) return `https://raw.githubusercontent.com/${github[1]}/${github[2]}`;
  const gitlab = /^(https:\/\/gitlab\.com\/.+?\/-\/)(?:blob|tree)(\/.+)$/.exec(uri);
  return gitlab === null ? uri : `${gitlab[1]}raw${gitlab[2]}`;
}

function readTask(text: string, call: string, mode: Mode): Task {
  const wrong = (reason: string) => callError("configuration", `the function \`${call}\`: ${reason}`);
  if (Buffer.byteLength(text) > LIMITS.documentBytes) throw wrong("it is larger than a document may be");
  const loaded = /^\s*\{/.test(text) ? loadJson(text) : loadYaml(text);
  if (Array.isArray(loaded)) throw wrong(diagnosticText(loaded[0]!));
  if (!isObject(loaded.value)) throw wrong("it is not a task");
  const document = {
    document: { dsl: "1.0.3", namespace: "functions", name: "function", version: "1.0.0" },
    do: [{ function: loaded.value }],
  };
  const fault = checkDocument(document, { mode }).find(({ severity }) => severity === "error");
  if (fault !== undefined)
    throw wrong(`${fault.pointer.replace("/do/0/function", "") || "/"}: ${fault.message}`);
  return loaded.value as unknown as Task;
}
