import { type Failure, fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { text } from "./given.ts";

/** A repository of a forge, by the HTTP API that GitHub publishes and that Gitea and Forgejo speak nearly the same. */
export interface Forge {
  /** Without a slash at its end: `https://api.github.com`, `https://git.example.org/api/v1`. */
  readonly api: string;
  /** `owner/name`. */
  readonly project: string;
  readonly owner: string;
  readonly token: string;
}

export interface Pull {
  readonly number: number;
  readonly url: string;
  readonly state: "open" | "closed" | "merged";
  readonly head: string;
  /** `owner/name` where the branch is; null where the forge does not say. */
  readonly from: string | null;
  /** The commit that its branch stands at. */
  readonly commit: string;
  readonly base: string;
  readonly body: string;
}

/** What may be asked again: nobody answered, or the forge says that it could not. */
export class NoAnswer extends Error {}

const ANSWER_BYTES = 8 * 1024 * 1024;
const REQUEST_MS = 30_000;
/** Of the newest pull requests; GitHub filters by branch itself, Gitea gives all. */
const PAGES = 20;
const PER_PAGE = 50;

/** An address of a forge. A token goes over TLS alone, or to this very host. */
export function forgeAddress(given: JsonObject, name: string): URL {
  const value = text(given, name);
  const url = URL.canParse(value) ? new URL(value) : null;
  const plain = url?.username === "" && url.password === "" && url.search === "" && url.hash === "";
  const near = url?.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url === null || !plain || (url.protocol !== "https:" && !near))
    throw fail("invalid_request", `${name} must be an https address without credentials`);
  return url;
}

export function forgeOf(given: JsonObject, token: string | undefined): Forge {
  const api = forgeAddress(given, "api").href.replace(/\/+$/, "");
  const project = text(given, "project");
  if (!/^[A-Za-z0-9][\w.-]{0,99}\/[A-Za-z0-9_][\w.-]{0,99}$/.test(project))
    throw fail("invalid_request", `the project ${project} is not owner/name`);
  if (token === undefined || token.trim() === "")
    throw fail("secret_denied", "the action has no token for the forge", {
      hint: 'give the step the environment { FORGE_TOKEN: "runner-secret://…" }',
    });
  return { api, project, owner: project.split("/")[0]!, token: token.trim() };
}

/** The pull request of a branch, the open one first, in whatever state; null where there is none. */
export async function findPull(forge: Forge, head: string, base: string): Promise<Pull | null> {
  const search = new URLSearchParams({ state: "all", head: `${forge.owner}:${head}`, base });
  search.set("per_page", String(PER_PAGE));
  search.set("limit", String(PER_PAGE));
  const found: Pull[] = [];
  for (let page = 1; page <= PAGES; page++) {
    search.set("page", String(page));
    const { status, value } = await ask(forge, "GET", `pulls?${search}`);
    if (status !== 200 || !Array.isArray(value)) throw refused(forge, status, value);
    const pulls = value.map((each) => pullOf(each));
    found.push(...pulls.filter((pull) => isOf(forge, pull) && pull.head === head && pull.base === base));
    if (value.length === 0 || found.length > 0) break;
  }
  return found.find(({ state }) => state === "open") ?? found[0] ?? null;
}

/** A fork may have a branch of the same name. */
const isOf = ({ project }: Forge, { from }: Pull): boolean =>
  from === null || from.toLowerCase() === project.toLowerCase();

/** @returns null where the forge says that there is one already */
export async function createPull(
  forge: Forge,
  asked: { readonly title: string; readonly body: string; readonly head: string; readonly base: string },
): Promise<Pull | null> {
  const { status, value } = await ask(forge, "POST", "pulls", asked);
  if (status === 201) return pullOf(value);
  // GitHub says 422, Gitea 409; both say it of other things too, which looking for it then shows.
  if (status === 422 || status === 409) return null;
  throw refused(forge, status, value);
}

async function ask(
  { api, project, token }: Forge,
  method: "GET" | "POST",
  path: string,
  body?: JsonObject,
): Promise<{ status: number; value: Json }> {
  let status: number;
  let read: string;
  try {
    const response = await fetch(`${api}/repos/${project}/${path}`, {
      method,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${token}`,
        "user-agent": "lightflow",
        "x-github-api-version": "2022-11-28",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // The token is for this address alone.
      redirect: "manual",
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    status = response.status;
    read = await bounded(response);
  } catch (error) {
    throw new NoAnswer((error as Error).message, { cause: error });
  }
  if (status >= 500 || status === 429) throw new NoAnswer(`the forge answered ${status}`);
  try {
    return { status, value: JSON.parse(read) as Json };
  } catch {
    return { status, value: null };
  }
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > ANSWER_BYTES) throw new Error(`the answer has more than ${ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function refused({ project }: Forge, status: number, value: Json): Failure {
  const said = isObject(value) && typeof value["message"] === "string" ? `: ${value["message"]}` : "";
  const why = `the forge refuses pull requests of ${project} (${status})${said.slice(0, 500)}`;
  if (status === 401) return fail("unauthenticated", why);
  if (status === 403) return fail("forbidden", why);
  return fail(status === 404 ? "not_found" : "conflict", why);
}

function pullOf(value: unknown): Pull {
  const { number, html_url: url, state, merged, merged_at: mergedAt, head, base, body } = objectOf(value);
  const { ref, sha, repo } = objectOf(head);
  const from = objectOf(repo)["full_name"];
  const into = objectOf(base)["ref"];
  if (typeof number !== "number" || typeof ref !== "string" || typeof sha !== "string")
    throw new NoAnswer("the forge's answer is no pull request");
  const isMerged = merged === true || typeof mergedAt === "string";
  return {
    number,
    url: typeof url === "string" ? url : "",
    state: isMerged ? "merged" : state === "open" ? "open" : "closed",
    head: ref,
    from: typeof from === "string" ? from : null,
    commit: sha,
    base: typeof into === "string" ? into : "",
    body: typeof body === "string" ? body : "",
  };
}

const objectOf = (value: unknown): JsonObject => (isObject(value) ? (value as JsonObject) : {});
