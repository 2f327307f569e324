import { rmSync } from "node:fs";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { makePrivateDirectory } from "../../base/files.ts";
import { joinSockets } from "../../base/join-sockets.ts";
import { isLocalAddress, parseAddress } from "../../calls/destination/address.ts";
import { checkDestination, systemResolveHost } from "../../calls/destination/check.ts";
import { type DestinationPolicy, destinationPolicy } from "../../calls/destination/policy.ts";
import { closingAnswer, parseRequestHead, readRequestHead } from "./http-head.ts";
import { SOCKET_NAME } from "./places.ts";
import { recordEgress } from "./record.ts";

/** Hosts as policy names them: `api.example.com`, `*.example.com`, `*`. */
export interface EgressRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface EgressProxy {
  /** The directory of the socket, for a mount of the sandbox. */
  readonly directory: string;
  /** Ends every connection; what they did is recorded then. */
  close(): Promise<void>;
}

const CONNECTIONS = 128;
const CONNECT_MS = 15_000;
const IDLE_MS = 10 * 60_000;

/**
 * The only way out for a task whose network is allow-listed: an HTTP proxy on a Unix socket that its sandbox sees. Each
 * name is looked up here, once, and the connection goes to the address that was checked. Every destination is recorded,
 * refused ones too.
 * @param directory of the socket; made here, and gone with the lease if this process dies
 * @param record the directory for what was asked for
 */
export async function openEgressProxy(
  rules: EgressRules,
  directory: string,
  record: string,
  resolveHost: (name: string) => Promise<readonly string[]> = systemResolveHost,
): Promise<EgressProxy> {
  const policy = policyOf(rules);
  // The path may be longer than the 108 bytes of an address: Bun then binds it by way of the open directory.
  makePrivateDirectory(directory);
  const sockets = new Set<Socket>();
  const serving = new Set<Promise<void>>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (sockets.size >= CONNECTIONS) {
      client.destroy();
      return;
    }
    sockets.add(client);
    client.on("close", () => sockets.delete(client));
    client.on("error", () => client.destroy());
    client.setTimeout(IDLE_MS, () => client.destroy());
    const served = serve(client, policy, resolveHost, record)
      .catch(() => void client.destroy())
      .finally(() => serving.delete(served));
    serving.add(served);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(join(directory, SOCKET_NAME), resolve);
  });
  return {
    directory,
    async close() {
      if (!server.listening) return;
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(serving);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A listed name may lead into the tenant's own network: that is what it is listed for. */
function policyOf({ allow, deny }: EgressRules): DestinationPolicy {
  const schemes = ["http", "https"];
  if (allow.includes("*")) return destinationPolicy({ schemes, deny, allow: [] });
  return destinationPolicy({ schemes, deny, allow, only: allow });
}

async function serve(
  client: Socket,
  policy: DestinationPolicy,
  resolveHost: (name: string) => Promise<readonly string[]>,
  directory: string,
): Promise<void> {
  const { head, rest } = await readRequestHead(client);
  const asked = parseRequestHead(head);
  if (asked === null) return answer(client, 400, "this proxy takes CONNECT and absolute http:// addresses");
  const { url } = asked;
  const host = url.hostname.replace(/\.$/, "");
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const refuse = (status: number, reason: string) => {
    recordEgress(directory, { host, port, allowed: false, sentBytes: 0, receivedBytes: 0 });
    answer(client, status, reason);
  };
  let address: string;
  try {
    const { addresses } = await checkDestination(url, {
      policy,
      resolveHost: async (name) => [...(await resolveHost(name))],
    });
    address = addresses?.[0] ?? host;
    // Whoever owns a listed name could point it at this host, or at a cloud's metadata.
    const isNamed = parseAddress(host) === undefined;
    if (isNamed && (addresses ?? []).some((text) => isLocalAddress(parseAddress(text)!)))
      return refuse(403, `${host} leads to this host`);
  } catch {
    return refuse(403, `the task may not reach ${host}:${port}`);
  }
  const upstream = connectSocket({ host: address, port, allowHalfOpen: true });
  upstream.on("error", () => upstream.destroy());
  try {
    await connected(upstream);
  } catch {
    return refuse(502, `${host}:${port} does not answer`);
  }
  upstream.setTimeout(IDLE_MS, () => upstream.destroy());
  if (asked.head === null) client.write("HTTP/1.1 200 Connection established\r\n\r\n");
  else upstream.write(asked.head);
  if (rest.length > 0) upstream.write(rest);
  await joinSockets(client, upstream, asked.head === null ? undefined : closingAnswer);
  const { bytesWritten: sentBytes, bytesRead: receivedBytes } = upstream;
  recordEgress(directory, { host, port, allowed: true, sentBytes, receivedBytes });
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout")), CONNECT_MS);
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("closed"));
    });
  });
}

/** RFC 9209: an answer with it is the proxy's own, which no server gave. */
const PROXY_NAME = "lightflow-egress";

function answer(client: Socket, status: number, reason: string): void {
  const body = `${reason}\n`;
  client.end(
    `HTTP/1.1 ${status} ${status === 403 ? "Forbidden" : status === 400 ? "Bad Request" : "Bad Gateway"}\r\nProxy-Status: ${PROXY_NAME}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
