import { afterEach } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import type { HostCalls } from "../../src/host/host.ts";
import { type Host, openHost } from "../../src/host/index.ts";
import { callOperation, service } from "../../src/service/index.ts";
import type { Scope } from "../../src/service/principal.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const ASSET = (
  id: string,
  chain: string,
) => `import { type AssetMeta, workflow } from "../preload/lightflow.ts";
export const META = {
  id: "${id}", title: "T", kind: "workflow", description: "D.", stability: "draft",
} as const satisfies AssetMeta;
export function define() {
  return workflow(META.id)${chain};
}
`;

export interface TestGateway {
  readonly host: Host;
  readonly url: string;
  readonly socket: string;
  readonly root: string;
  token(scopes: Scope[], tenant?: string): Promise<string>;
  fetch(path: string, init?: RequestInit & { token?: string }): Promise<Response>;
  json(
    path: string,
    init?: RequestInit & { token?: string; json?: unknown },
  ): Promise<{ status: number; body: never }>;
  stop(): Promise<void>;
}

/** A host without a runner on free ports, with a project that holds `workflow.now`, which ends at once, and `workflow.slow`. */
export async function gateway(
  options: { requireToken?: boolean; names?: string[]; host?: string; calls?: HostCalls } = {},
): Promise<TestGateway> {
  const directory = mkdtempSync(join(tmpdir(), "gateway-"));
  const root = join(directory, "project");
  mkdirSync(join(root, "lightflow/workflows"), { recursive: true });
  writeFileSync(
    join(root, "lightflow/workflows/now.ts"),
    ASSET(
      "workflow.now",
      '.input("name", { type: "string", default: "world" }).output({ hello: "${ .inputs.name }" })',
    ),
  );
  writeFileSync(
    join(root, "lightflow/workflows/slow.ts"),
    ASSET("workflow.slow", '.commandStep("work", { command: "true", arguments: [] })'),
  );
  const paths = {
    config: join(directory, "config"),
    state: join(directory, "state"),
    cache: join(directory, "cache"),
    runtime: join(directory, "run"),
  };
  const open = ({ calls, ...more }: typeof options) =>
    openHost({
      ...(calls === undefined ? {} : { calls }),
      paths,
      log: silentLog,
      root,
      listen: { host: "127.0.0.1", port: 0, controllerPort: 0, ...more },
      runner: null,
    });
  let host: Host;
  if (options.requireToken || options.host) {
    // A store with a token in it, as an operator prepares it.
    const first = await open({});
    await callOperation(service.createToken, first.context, { subject: "first", scopes: ["admin"] });
    await first.stop();
    host = await open(options);
  } else host = await open(options);
  let stopped = false;
  const stop = async () => {
    if (!stopped) await host.stop();
    stopped = true;
  };
  closers.push(async () => {
    await stop();
    rmSync(directory, { recursive: true });
  });
  const url = host.gatewayUrl!;
  const ask: TestGateway["fetch"] = (path, { token, ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return fetch(`${url}${path}`, { ...init, headers });
  };
  return {
    host,
    url,
    socket: host.socket!,
    root,
    stop,
    async token(scopes, tenant = "default") {
      const made = await callOperation(service.createToken, host.context, {
        subject: "test",
        scopes,
        tenant,
      });
      return made.token;
    },
    fetch: ask,
    async json(path, { json, ...init } = {}) {
      const response = await ask(path, {
        ...init,
        ...(json === undefined
          ? {}
          : {
              method: init.method ?? "POST",
              body: JSON.stringify(json),
              headers: { "content-type": "application/json", ...(init.headers as Record<string, string>) },
            }),
      });
      return { status: response.status, body: (await response.json()) as never };
    },
  };
}
