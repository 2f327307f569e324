import { readFileSync } from "node:fs";
import { fail } from "../../../base/errors.ts";
import {
  ApiException,
  BatchV1Api,
  CoreV1Api,
  createConfiguration,
  ObjectSerializer,
  type RequestContext,
  ResponseContext,
  ServerConfiguration,
  type V1DeleteOptions,
  type V1Job,
  type V1ObjectMeta,
  type V1Pod,
  type V1Secret,
  wrapHttpLibrary,
} from "./kubernetes-library.ts";

/**
 * What a Job needs of the Kubernetes API, through its own client. Requests go over Bun's `fetch`: the client's agents hold
 * the cluster's certificate authority where Bun does not look, and its `Watch` and `Attach` know nothing else.
 */
export interface KubernetesConnection {
  readonly apiServer: string;
  /** Read again for every request: a mounted token changes while the runner lives. */
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly namespace: string;
}

export interface KubernetesKinds {
  readonly jobs: V1Job;
  readonly pods: V1Pod;
  readonly secrets: V1Secret;
}

const REQUEST_MS = 30_000;
/** What one list gives at most: a sweep is bounded. */
const LIST_LIMIT = 1_000;

export interface KubernetesApi {
  /** False when an object of that name is there already. */
  create<K extends "jobs" | "secrets">(kind: K, body: KubernetesKinds[K]): Promise<boolean>;
  getJob(name: string): Promise<V1Job | null>;
  list<K extends keyof KubernetesKinds>(
    kind: K,
    selector: string,
  ): Promise<{ items: readonly KubernetesKinds[K][]; version: string }>;
  /** Nothing happens for one that is not there. */
  remove(kind: keyof KubernetesKinds, name: string, options: V1DeleteOptions): Promise<void>;
  /** What happens to pods after a version, until the server or the signal ends it. */
  watchPods(
    selector: string,
    version: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ type: string; object: V1Pod }>;
  /** The standard streams of a pod's container, by the channels of `v5.channel.k8s.io`. */
  attach(pod: string): WebSocket;
}

export function kubernetesApi(connection: KubernetesConnection): KubernetesApi {
  const { namespace, tokenFile, caFile } = connection;
  const apiServer = connection.apiServer.replace(/\/$/, "");
  const ca = caFile === undefined ? undefined : readFileSync(caFile, "utf8");
  const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
  const headers = (): Record<string, string> =>
    tokenFile === undefined ? {} : { authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}` };

  const send = (request: RequestContext, signal: AbortSignal = AbortSignal.timeout(REQUEST_MS)) =>
    fetch(request.getUrl(), {
      method: request.getHttpMethod(),
      headers: request.getHeaders(),
      body: request.getBody() as string | undefined,
      redirect: "manual",
      signal,
      timeout: false,
      tls,
    } as RequestInit);
  const answer = (response: Response, text: () => Promise<string>) =>
    new ResponseContext(response.status, Object.fromEntries(response.headers), {
      text,
      binary: async () => Buffer.from(await response.arrayBuffer()),
      stream: () => response.body,
    });
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(apiServer, {}),
    authMethods: {
      default: {
        getName: () => "token",
        applySecurityAuthentication(request) {
          for (const [name, value] of Object.entries(headers())) request.setHeaderParam(name, value);
        },
      },
    },
    httpApi: wrapHttpLibrary({
      async send(request) {
        const response = await send(request);
        return answer(response, () => response.text());
      },
    }),
  });
  const batch = new BatchV1Api(configuration);
  const core = new CoreV1Api(configuration);

  const create = {
    jobs: (body: V1Job) => batch.createNamespacedJob({ namespace, body }),
    secrets: (body: V1Secret) => core.createNamespacedSecret({ namespace, body }),
  };
  const lists = {
    jobs: (labelSelector: string) => batch.listNamespacedJob({ namespace, labelSelector, limit: LIST_LIMIT }),
    pods: (labelSelector: string) => core.listNamespacedPod({ namespace, labelSelector, limit: LIST_LIMIT }),
    secrets: (labelSelector: string) =>
      core.listNamespacedSecret({ namespace, labelSelector, limit: LIST_LIMIT }),
  };
  const remove: Record<keyof KubernetesKinds, (name: string, body: V1DeleteOptions) => Promise<unknown>> = {
    jobs: (name, body) => batch.deleteNamespacedJob({ namespace, name, body }),
    pods: (name, body) => core.deleteNamespacedPod({ namespace, name, body }),
    secrets: (name, body) => core.deleteNamespacedSecret({ namespace, name, body }),
  };

  return {
    async create(kind, body) {
      const status = await statusOf((create[kind] as (body: unknown) => Promise<unknown>)(body));
      if (status === 404) throw fail("execution_start_failed", `the cluster has no namespace ${namespace}`);
      return status !== 409;
    },
    async getJob(name) {
      let found: V1Job | null = null;
      await statusOf(
        batch.readNamespacedJob({ namespace, name }).then((job) => {
          found = job;
        }),
      );
      return found;
    },
    async list(kind, selector) {
      const list = await lists[kind](selector).catch(refused);
      return { items: list.items as never[], version: list.metadata?.resourceVersion ?? "" };
    },
    async remove(kind, name, options) {
      await statusOf(remove[kind](name, options));
    },
    async *watchPods(labelSelector, resourceVersion, signal) {
      // The client reads an answer whole, and this one does not end: its stream is taken out on the way.
      let stream: ReadableStream<Uint8Array> | null = null;
      const httpApi = wrapHttpLibrary({
        async send(request) {
          const response = await send(request, signal);
          if (!response.ok) return answer(response, () => response.text());
          stream = response.body;
          return answer(response, async () => '{"items":[]}');
        },
      });
      const query = { namespace, labelSelector, resourceVersion, watch: true, timeoutSeconds: 300 };
      await core.listNamespacedPod(query, { httpApi }).catch(refused);
      const decoder = new TextDecoder();
      let rest = "";
      for await (const part of stream as unknown as AsyncIterable<Uint8Array>) {
        const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          if (line.trim() === "") continue;
          const { type, object } = JSON.parse(line) as { type: string; object: unknown };
          yield { type, object: ObjectSerializer.deserialize(object, "V1Pod", "") as V1Pod };
        }
      }
    },
    attach(pod) {
      const url = new URL(`${apiServer}/api/v1/namespaces/${namespace}/pods/${pod}/attach`);
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

/** The name that an object was made with. */
export const nameOf = ({ metadata }: { readonly metadata?: V1ObjectMeta }): string => metadata?.name ?? "";

/** What an answer said where "there is none" and "there is one already" are no errors. */
async function statusOf(call: Promise<unknown>): Promise<200 | 404 | 409> {
  try {
    await call;
    return 200;
  } catch (error) {
    if (error instanceof ApiException && (error.code === 404 || error.code === 409)) return error.code;
    return refused(error);
  }
}

/** @throws Failure with the cluster's own reason; what never reached it as it is */
function refused(error: unknown): never {
  if (!(error instanceof ApiException)) throw error;
  // 410: the version that a watch would begin at is too old. A new list has another.
  const isPassing = error.code >= 500 || error.code === 429 || error.code === 410;
  throw fail(
    isPassing ? "unavailable" : "execution_start_failed",
    `the Kubernetes API answered ${error.code}: ${reasonOf(error.body)}`,
    { cause: error },
  );
}

function reasonOf(body: unknown): string {
  let said = body;
  if (typeof body === "string")
    try {
      said = JSON.parse(body);
    } catch {
      // No status of the API's: a proxy's page.
    }
  const message = (said as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message.slice(0, 500) : "no reason given";
}
