import { constants } from "node:os";
import { codeOf, type LocalCommand, startLocal } from "./local-command.ts";

interface Stored {
  metadata: {
    name: string;
    labels: Record<string, string>;
    annotations?: Record<string, string>;
    deletionTimestamp?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: whatever shape a client sends
  [key: string]: any;
}

/** The part of the Kubernetes API that Jobs of one pod need; a pod's container is a process of this host. */
export class KubernetesServer {
  readonly objects = new Map<string, Stored>();
  /** What was asked for, in order: `POST jobs`. */
  readonly asked: string[] = [];
  /** Answers in place of the next pods: how they fail to start. */
  waitingReason: string | null = null;
  /** The next creation of each kind named here is done, and nobody hears of it. */
  readonly losesAnswerOf = new Set<string>();
  /** How many watches to come begin too late. */
  expiredWatches = 0;
  /** Answers a removal with an error, as an API server without its store does. */
  refusesRemovals = false;
  readonly #commands = new Map<string, LocalCommand>();
  /** A watch begins where its version says, like the cluster's own. */
  readonly #events: { line: string; object: Stored }[] = [];
  readonly #watchers = new Set<{ selector: string; send(line: string): void }>();
  readonly #server: Bun.Server<{ pod: string }>;
  readonly #token: string;

  constructor(token: string, tls?: { key: string; cert: string }) {
    this.#token = token;
    this.#server = Bun.serve<{ pod: string }>({
      port: 0,
      idleTimeout: 0,
      ...(tls === undefined ? {} : { tls }),
      fetch: (request, server) => this.#answer(request, server),
      websocket: {
        maxPayloadLength: 64 << 20,
        backpressureLimit: 512 << 20,
        open: (socket) => void this.#pump(socket),
        message: (socket, data) => {
          const bytes = data as unknown as Buffer;
          const stdin = this.#commands.get(socket.data.pod)?.process.stdin;
          if (bytes[0] === 0) stdin?.write(Uint8Array.from(bytes.subarray(1)));
          if (bytes[0] === 255) void stdin?.end();
        },
        // `stdinOnce`: whoever goes away ends the input.
        close: (socket) => void this.#commands.get(socket.data.pod)?.process.stdin.end(),
      },
    });
  }

  get url(): string {
    return this.#server.url.href;
  }

  async close(): Promise<void> {
    for (const command of this.#commands.values()) await command.end();
    await this.#server.stop(true);
  }

  /** A second pod with the labels of the first, as a controller gone wrong would make. */
  doublePod(): void {
    const [key, pod] = [...this.objects].find(([name]) => name.startsWith("pods/"))!;
    const metadata = { ...pod.metadata, name: `${pod.metadata.name}-2` };
    this.objects.set(`${key}-2`, { ...pod, metadata });
  }

  /** A node that is lost takes its pods with it. */
  async losePods(): Promise<void> {
    for (const [key, pod] of [...this.objects])
      if (key.startsWith("pods/")) {
        this.objects.delete(key);
        this.#tell("DELETED", pod);
        await this.#commands.get(pod.metadata.name)?.end();
      }
  }

  #tell(type: string, object: Stored): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    this.#events.push({ line, object });
    for (const { selector, send } of this.#watchers) if (matches(object, selector)) send(line);
  }

  async #answer(request: Request, server: Bun.Server<{ pod: string }>): Promise<Response | undefined> {
    if (request.headers.get("authorization") !== `Bearer ${this.#token}`)
      return Response.json({ kind: "Status", message: "Unauthorized" }, { status: 401 });
    const url = new URL(request.url);
    const match =
      /^\/(?:api|apis\/batch)\/v1\/namespaces\/tasks\/(jobs|pods|secrets)(?:\/([^/]+))?(\/attach)?$/.exec(
        url.pathname,
      );
    if (match === null) return Response.json({ kind: "Status", message: "no such path" }, { status: 404 });
    const [, kind, name, attach] = match as unknown as [
      string,
      string,
      string | undefined,
      string | undefined,
    ];
    const key = `${kind}/${name}`;
    const selector = url.searchParams.get("labelSelector") ?? "";
    this.asked.push(`${request.method} ${kind}`);
    if (attach !== undefined) {
      const headers = { "sec-websocket-protocol": "v5.channel.k8s.io" };
      return server.upgrade(request, { data: { pod: name! }, headers })
        ? undefined
        : new Response("", { status: 400 });
    }
    if (request.method === "POST") {
      const answer = this.#create(kind, (await request.json()) as Stored);
      return this.losesAnswerOf.delete(kind) ? new Response(null, { status: 504 }) : answer;
    }
    if (request.method === "DELETE" && this.refusesRemovals)
      return Response.json({ kind: "Status", message: "etcdserver: request timed out" }, { status: 500 });
    if (request.method === "DELETE")
      return this.#remove(key, (await request.json()) as Record<string, unknown>);
    if (name !== undefined) {
      const object = this.objects.get(key);
      return object === undefined ? new Response("{}", { status: 404 }) : Response.json(object);
    }
    if (url.searchParams.has("watch") && this.expiredWatches-- > 0)
      return Response.json({ kind: "Status", message: "too old resource version" }, { status: 410 });
    if (url.searchParams.has("watch"))
      return this.#watch(selector, Number(url.searchParams.get("resourceVersion")), request.signal);
    const items = [...this.objects]
      .filter(([id, object]) => id.startsWith(`${kind}/`) && matches(object, selector))
      .map(([, object]) => object);
    return Response.json({ kind: "List", metadata: { resourceVersion: String(this.#events.length) }, items });
  }

  #create(kind: string, body: Stored): Response {
    const key = `${kind}/${body.metadata.name}`;
    if (this.objects.has(key)) return Response.json({ message: "AlreadyExists" }, { status: 409 });
    this.objects.set(key, body);
    if (kind === "jobs") void this.#startPod(body);
    return Response.json(body, { status: 201 });
  }

  async #startPod(job: Stored): Promise<void> {
    await Bun.sleep(5);
    const { spec, metadata } = job["spec"].template;
    const [container] = spec.containers;
    const name = `${job.metadata.name}-x7k2p`;
    const pod: Stored = { metadata: { name, labels: metadata.labels }, spec };
    const state = (value: object) => {
      pod["status"] = { phase: "Running", containerStatuses: [{ state: value }] };
    };
    this.objects.set(`pods/${name}`, pod);
    if (this.waitingReason !== null) {
      state({ waiting: { reason: this.waitingReason, message: "the image is not there" } });
      this.#tell("ADDED", pod);
      return;
    }
    const environment = this.objects.get(`secrets/${container.envFrom[0].secretRef.name}`)!["stringData"];
    const argv = [...container.command, ...container.args];
    const command = startLocal(argv, environment, container.workingDir);
    this.#commands.set(name, command);
    state({ running: {} });
    this.#tell("ADDED", pod);
    await command.process.exited;
    if (!this.objects.has(`pods/${name}`)) return;
    state({ terminated: { exitCode: codeOf(command.process, constants.signals) } });
    pod["status"].phase = command.process.exitCode === 0 ? "Succeeded" : "Failed";
    this.#tell("MODIFIED", pod);
  }

  #remove(key: string, options: Record<string, unknown>): Response {
    const object = this.objects.get(key);
    if (object === undefined) return new Response("{}", { status: 404 });
    if (key.startsWith("pods/")) void this.#endPod(key, Number(options["gracePeriodSeconds"] ?? 30));
    else if (key.startsWith("jobs/")) void this.#endJob(key, object);
    else this.objects.delete(key);
    return Response.json(object);
  }

  async #endJob(key: string, job: Stored): Promise<void> {
    if (job.metadata.deletionTimestamp !== undefined) return;
    job.metadata.deletionTimestamp = new Date().toISOString();
    const name = `pods/${job.metadata.name}-x7k2p`;
    if (this.objects.has(name)) await this.#endPod(name, 30);
    this.objects.delete(key);
  }

  async #endPod(key: string, graceSeconds: number): Promise<void> {
    const pod = this.objects.get(key);
    const command = this.#commands.get(pod?.metadata.name ?? "");
    if (pod !== undefined && command !== undefined) {
      command.terminate();
      // A tenth of a real cluster's second: tests wait for it.
      await Promise.race([command.process.exited, Bun.sleep(graceSeconds * 100)]);
      await command.end();
      await Bun.sleep(5);
    }
    if (pod !== undefined && this.objects.delete(key)) this.#tell("DELETED", pod);
  }

  #watch(selector: string, version: number, signal: AbortSignal): Response {
    let watcher: { selector: string; send(line: string): void };
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const encoder = new TextEncoder();
        watcher = { selector, send: (line) => controller.enqueue(encoder.encode(line)) };
        this.#watchers.add(watcher);
        signal.addEventListener("abort", () => this.#watchers.delete(watcher), { once: true });
        controller.enqueue(encoder.encode("\n"));
        for (const { line, object } of this.#events.slice(version))
          if (matches(object, selector)) watcher.send(line);
      },
      cancel: () => void this.#watchers.delete(watcher),
    });
    return new Response(stream, { headers: { "content-type": "application/json" } });
  }

  async #pump(socket: Bun.ServerWebSocket<{ pod: string }>): Promise<void> {
    const command = this.#commands.get(socket.data.pod);
    if (command === undefined) return socket.close();
    const copy = async (channel: number, stream: ReadableStream<Uint8Array>) => {
      for await (const part of stream as unknown as AsyncIterable<Uint8Array>) {
        socket.send(Buffer.concat([Buffer.of(channel), part]));
        while (socket.getBufferedAmount() > 1 << 20) await Bun.sleep(1);
      }
    };
    await Promise.allSettled([copy(1, command.process.stdout), copy(2, command.process.stderr)]);
    socket.close();
  }
}

const matches = (object: Stored, selector: string): boolean =>
  selector
    .split(",")
    .every((part) => part === "" || object.metadata.labels?.[part.split("=")[0]!] === part.split("=")[1]);
