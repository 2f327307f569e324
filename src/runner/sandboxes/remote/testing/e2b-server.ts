import { rmSync, writeFileSync } from "node:fs";
import { envelope } from "../e2b-api.ts";
import { type LocalCommand, startLocal } from "./local-command.ts";

interface Box {
  readonly metadata: Record<string, string>;
  readonly body: Record<string, unknown>;
  readonly commands: Map<number, LocalCommand>;
  /** What was put there and fetched. */
  readonly files: Set<string>;
  /** A machine that is gone tells nobody how its commands ended. */
  isGone: boolean;
}

/** The part of E2B's API, and of the daemon in its sandboxes, that a task needs; commands are processes of this host. */
export class E2bServer {
  readonly boxes = new Map<string, Box>();
  /** Makes the next sandbox twice, as a repeat behind a lost answer would. */
  makesTwo = false;
  /** The next sandbox is made, and nobody hears of it. */
  losesAnswer = false;
  /** Of one page of a list. */
  pageSize = 100;
  /** Stands in for the daemon of every sandbox, as a task that is root there may do. */
  takenOver: ((request: Request) => Response) | null = null;
  readonly #key: string;
  readonly #server: Bun.Server<undefined>;

  constructor(key: string) {
    this.#key = key;
    this.#server = Bun.serve({
      port: 0,
      idleTimeout: 0,
      maxRequestBodySize: 1 << 30,
      fetch: (request) => this.#answer(request),
    });
  }

  get url(): string {
    return this.#server.url.href.replace(/\/$/, "");
  }

  async close(): Promise<void> {
    for (const id of [...this.boxes.keys()]) await this.remove(id);
    await this.#server.stop(true);
  }

  async remove(id: string): Promise<boolean> {
    const box = this.boxes.get(id);
    if (box === undefined) return false;
    box.isGone = true;
    for (const command of box.commands.values()) await command.end();
    // A micro-VM's files go with it; this one has this host's.
    for (const path of box.files) rmSync(path, { force: true });
    return this.boxes.delete(id);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const inside = request.headers.get("e2b-sandbox-id");
    if (inside !== null) {
      const box = this.boxes.get(inside);
      if (box === undefined || !isAllowed(request, url, `token-${inside}`))
        return new Response("no such sandbox", { status: 502 });
      return this.takenOver?.(request) ?? this.#inside(request, url, box);
    }
    if (request.headers.get("x-api-key") !== this.#key)
      return Response.json({ code: 401, message: "Invalid API key" }, { status: 401 });
    if (request.method === "POST" && url.pathname === "/sandboxes") {
      const body = (await request.json()) as Record<string, unknown>;
      const ids = [crypto.randomUUID(), ...(this.makesTwo ? [crypto.randomUUID()] : [])];
      for (const id of ids)
        this.boxes.set(id, {
          metadata: body["metadata"] as Record<string, string>,
          body,
          commands: new Map(),
          files: new Set(),
          isGone: false,
        });
      const sandboxID = ids[0]!;
      if (this.losesAnswer) {
        this.losesAnswer = false;
        return new Response(null, { status: 504 });
      }
      const made = {
        templateID: body["templateID"],
        sandboxID,
        clientID: "x",
        envdVersion: "0.4.0",
        envdAccessToken: `token-${sandboxID}`,
      };
      return Response.json(made, { status: 201 });
    }
    if (request.method === "GET" && url.pathname === "/v2/sandboxes") {
      const wanted = [...new URLSearchParams(url.searchParams.get("metadata") ?? "")];
      const list = [...this.boxes].filter(([, { metadata }]) =>
        wanted.every(([name, value]) => metadata[name] === value),
      );
      const from = Number(url.searchParams.get("nextToken") ?? 0);
      const page = list.slice(from, from + this.pageSize).map(([sandboxID, { metadata, body }]) => ({
        sandboxID,
        metadata,
        templateID: body["templateID"],
        clientID: "x",
        state: "running",
        startedAt: new Date(0).toISOString(),
        endAt: new Date(0).toISOString(),
        cpuCount: 1,
        memoryMB: 512,
        envdVersion: "0.4.0",
      }));
      const next = from + this.pageSize;
      return Response.json(page, { headers: next < list.length ? { "x-next-token": String(next) } : {} });
    }
    const id = url.pathname.split("/")[2] ?? "";
    if (request.method === "DELETE" && (await this.remove(id))) return new Response(null, { status: 204 });
    if (url.pathname.endsWith("/timeout") && this.boxes.has(id)) return new Response(null, { status: 204 });
    return Response.json({ code: 404, message: `sandbox ${id} not found` }, { status: 404 });
  }

  async #inside(request: Request, url: URL, box: Box): Promise<Response> {
    if (url.pathname === "/files") {
      const path = url.searchParams.get("path")!;
      if (path.startsWith("/tmp/lightflow-")) box.files.add(path);
      if (request.method === "GET") return new Response(Bun.file(path));
      const file = (await request.formData()).get("file") as File;
      writeFileSync(path, new Uint8Array(await file.arrayBuffer()));
      return Response.json([{ path }]);
    }
    const method = url.pathname.split("/").at(-1);
    if (method === "Start") {
      const framed = new Uint8Array(await request.arrayBuffer());
      return this.#start(JSON.parse(new TextDecoder().decode(framed.subarray(5))), box);
    }
    const body = (await request.json()) as { process: { pid: number }; input?: { stdin: string } };
    const command = box.commands.get(body.process.pid);
    if (command === undefined) return Response.json({ code: "not_found" }, { status: 404 });
    if (method === "SendSignal") command.terminate();
    if (method === "SendInput") {
      command.process.stdin.write(Buffer.from(body.input!.stdin, "base64"));
      await command.process.stdin.flush();
    }
    if (method === "CloseStdin") await command.process.stdin.end();
    return Response.json({});
  }

  #start(
    asked: {
      process: { cmd: string; args: string[]; envs: Record<string, string>; cwd?: string };
      stdin?: boolean;
    },
    box: Box,
  ): Response {
    const { cmd, args, envs, cwd } = asked.process;
    let command: LocalCommand;
    try {
      command = startLocal([cmd, ...args], envs, cwd ?? "/");
    } catch {
      const error = { error: { code: "invalid_argument", message: `${cmd}: no such file or directory` } };
      return new Response(envelope(error, 2), { headers: { "content-type": "application/connect+json" } });
    }
    const { process } = command;
    box.commands.set(process.pid, command);
    if (asked.stdin !== true) void process.stdin.end();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const event = (value: object) => writer.write(envelope({ event: value }));
    const copy = async (name: string, stream: ReadableStream<Uint8Array>) => {
      for await (const part of stream as unknown as AsyncIterable<Uint8Array>)
        await event({ data: { [name]: Buffer.from(part).toString("base64") } });
    };
    void (async () => {
      await event({ start: { pid: process.pid } });
      await Promise.all([copy("stdout", process.stdout), copy("stderr", process.stderr)]);
      await process.exited;
      if (box.isGone) return void (await writer.close());
      const words: Record<string, string> = { SIGKILL: "killed", SIGTERM: "terminated" };
      const status =
        process.signalCode === null
          ? `exit status ${process.exitCode}`
          : `signal: ${words[process.signalCode]}`;
      await event({ end: { exitCode: process.exitCode ?? -1, exited: process.signalCode === null, status } });
      await writer.write(envelope({}, 2));
      await writer.close();
    })().catch(() => {});
    return new Response(readable, { headers: { "content-type": "application/connect+json" } });
  }
}

/** By the sandbox's token in the head, or, for files, by a signature that is made with it. */
function isAllowed(request: Request, url: URL, token: string): boolean {
  if (url.pathname !== "/files") return request.headers.get("x-access-token") === token;
  const query = (name: string) => url.searchParams.get(name) ?? "";
  const operation = request.method === "GET" ? "read" : "write";
  const signed = `${query("path")}:${operation}:${query("username")}:${token}`;
  const digest = new Bun.CryptoHasher("sha256").update(signed).digest("base64").replace(/=+$/, "");
  return query("signature") === `v1_${digest}`;
}
