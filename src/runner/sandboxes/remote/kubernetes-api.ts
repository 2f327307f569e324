import { readFileSync } from "node:fs";
import { fail } from "../../../base/errors.ts";

/**
 * The few requests of the Kubernetes API that a Job needs, in the shapes that it documents. Its own client for Node is
 * not used: it hands the cluster's certificate authority to an agent that Bun's `fetch` does not read, so it trusts no
 * cluster with a private authority.
 */
export interface KubernetesConnection {
  readonly apiServer: string;
  /** Read again for every request: a mounted token changes while the runner lives. */
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly namespace: string;
}

export interface ObjectMeta {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
}

export interface KubernetesObject {
  readonly metadata: ObjectMeta;
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: object;
  readonly terminated?: { readonly exitCode: number; readonly signal?: number; readonly reason?: string };
}

export interface Pod extends KubernetesObject {
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly containerStatuses?: readonly { readonly state?: ContainerState }[];
  };
}

export type ResourceKind = "jobs" | "pods" | "secrets";
const GROUPS: Readonly<Record<ResourceKind, string>> = {
  jobs: "apis/batch/v1",
  pods: "api/v1",
  secrets: "api/v1",
};

const REQUEST_MS = 30_000;
/** What one list gives at most: a sweep is bounded. */
const LIST_LIMIT = 1_000;

export interface KubernetesApi {
  /** False when an object of that name is there already. */
  create(kind: ResourceKind, body: object): Promise<boolean>;
  get(kind: ResourceKind, name: string): Promise<KubernetesObject | null>;
  list<T extends KubernetesObject>(
    kind: ResourceKind,
    selector: string,
  ): Promise<{ items: readonly T[]; version: string }>;
  /** Nothing happens for one that is not there. */
  remove(kind: ResourceKind, name: string, options: object): Promise<void>;
  /** What happens to objects after a version, until the server or the signal ends it. */
  watch<T extends KubernetesObject>(
    kind: ResourceKind,
    selector: string,
    version: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ type: string; object: T }>;
  /** The standard streams of a pod's container, by the channels of `v5.channel.k8s.io`. */
  attach(pod: string): WebSocket;
}

export function kubernetesApi(connection: KubernetesConnection): KubernetesApi {
  const { apiServer, namespace, tokenFile, caFile } = connection;
  const ca = caFile === undefined ? undefined : readFileSync(caFile, "utf8");
  const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
  const headers = (): Record<string, string> =>
    tokenFile === undefined ? {} : { authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}` };
  const address = (kind: ResourceKind, name = "", query: Record<string, string> = {}): string => {
    const url = new URL(
      `${GROUPS[kind]}/namespaces/${namespace}/${kind}${name === "" ? "" : `/${name}`}`,
      apiServer.endsWith("/") ? apiServer : `${apiServer}/`,
    );
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    return url.href;
  };
  const send = async (
    method: string,
    url: string,
    body?: object,
    signal: AbortSignal = AbortSignal.timeout(REQUEST_MS),
  ): Promise<Response> => {
    const response = await fetch(url, {
      method,
      headers: { ...headers(), accept: "application/json", "content-type": "application/json" },
      redirect: "manual",
      signal,
      timeout: false,
      tls,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    } as RequestInit);
    if (response.ok || response.status === 404 || response.status === 409) return response;
    const status = (await response.json().catch(() => ({}))) as { message?: unknown };
    const said = typeof status.message === "string" ? status.message.slice(0, 500) : "no reason given";
    throw fail(
      response.status >= 500 || response.status === 429 ? "unavailable" : "execution_start_failed",
      `the Kubernetes API answered ${response.status}: ${said}`,
    );
  };
  return {
    async create(kind, body) {
      const response = await send("POST", address(kind), body);
      await response.body?.cancel();
      if (response.status === 404)
        throw fail("execution_start_failed", `the cluster has no namespace ${namespace}`);
      return response.status !== 409;
    },
    async get(kind, name) {
      const response = await send("GET", address(kind, name));
      if (response.status === 200) return (await response.json()) as KubernetesObject;
      await response.body?.cancel();
      return null;
    },
    async list(kind, labelSelector) {
      const response = await send("GET", address(kind, "", { labelSelector, limit: String(LIST_LIMIT) }));
      const list = (await response.json()) as {
        items?: never[];
        metadata?: { resourceVersion?: string };
      };
      return { items: list.items ?? [], version: list.metadata?.resourceVersion ?? "" };
    },
    async remove(kind, name, options) {
      const response = await send("DELETE", address(kind, name), {
        kind: "DeleteOptions",
        apiVersion: "v1",
        ...options,
      });
      await response.body?.cancel();
    },
    async *watch(kind, labelSelector, resourceVersion, signal) {
      const query = { labelSelector, resourceVersion, watch: "1", timeoutSeconds: "300" };
      const response = await send("GET", address(kind, "", query), undefined, signal);
      const decoder = new TextDecoder();
      let rest = "";
      for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
        const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) if (line.trim() !== "") yield JSON.parse(line);
      }
    },
    attach(pod) {
      const url = new URL(address("pods", `${pod}/attach`));
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      for (const stream of ["stdin", "stdout", "stderr"]) url.searchParams.set(stream, "true");
      url.searchParams.set("container", "task");
      return new WebSocket(url.href, {
        headers: headers(),
        protocols: ["v5.channel.k8s.io"],
        tls,
      } as never);
    },
  };
}
