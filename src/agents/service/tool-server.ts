import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { Tool } from "@modelcontextprotocol/sdk/types.js";
import { childEnvironment } from "../../base/child-env.ts";
import { Failure, fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { MIB } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { VERSION } from "../../base/version.ts";
import { StdioTransport } from "../../calls/mcp/stdio-transport.ts";
import { toolFetch } from "./tool-fetch.ts";

const CONNECT_MS = 20_000;
const CALL_MS = 60_000;
/** Of a list of tools; no server that is meant for a model has more. */
const PAGES = 16;
/** One message of a program, or one answer of an address; one that says more without an end is ended. */
const MESSAGE = 16 * MIB;

/** A server of MCP for as long as a service lives: one that went away is asked for again by the next call. */
export interface ToolServer {
  /** @throws Failure `unavailable` */
  tools(): Promise<readonly Tool[]>;
  /** @throws Failure `unavailable` when it does not answer, or goes away meanwhile */
  call(name: string, input: JsonObject): Promise<JsonObject>;
  close(): Promise<void>;
}

/**
 * @param address an address, or the path of a program that speaks MCP over its standard streams
 * @param check told what it offers whenever it is connected to; what it throws ends the connection
 */
export function openServer(address: string, log: Log, check: (tools: readonly Tool[]) => void): ToolServer {
  let client: Promise<Client> | null = null;
  const unavailable = (what: string, cause: unknown) =>
    fail("unavailable", `the MCP server ${address} ${what}: ${(cause as Error).message}`, { cause });

  let offered: readonly Tool[] = [];
  const connect = async (lost: () => void): Promise<Client> => {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const opened = new Client({ name: "lightflow", version: VERSION });
    opened.onclose = lost;
    try {
      await opened.connect(await transportTo(address), { timeout: CONNECT_MS });
      offered = await toolsOf(opened);
      check(offered);
      return opened;
    } catch (error) {
      lost();
      await opened.close().catch(() => {});
      throw error instanceof Failure ? error : unavailable("does not answer", error);
    }
  };
  const connected = (): Promise<Client> => {
    if (client !== null) return client;
    // One that is late to close takes nothing from the one after it.
    const mine: Promise<Client> = connect(() => {
      if (client === mine) client = null;
    });
    client = mine;
    return mine;
  };

  return {
    async tools() {
      await connected();
      return offered;
    },
    async call(name, input) {
      const opened = await connected();
      try {
        return (await opened.callTool({ name, arguments: input }, undefined, {
          timeout: CALL_MS,
        })) as JsonObject;
      } catch (error) {
        if (client === null) log.warn("an MCP server went away", { server: address });
        throw unavailable(`failed at ${name}`, error);
      }
    },
    async close() {
      const opened = client;
      client = null;
      await (await opened?.catch(() => null))?.close().catch(() => {});
    },
  };
}

async function toolsOf(client: Client): Promise<readonly Tool[]> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page++) {
    const listed = await client.listTools(cursor === undefined ? undefined : { cursor }, {
      timeout: CONNECT_MS,
    });
    tools.push(...listed.tools);
    cursor = listed.nextCursor;
    if (cursor === undefined) break;
  }
  return tools;
}

async function transportTo(server: string): Promise<Transport> {
  if (/^https?:\/\//.test(server)) {
    const { StreamableHTTPClientTransport } = await import(
      "@modelcontextprotocol/sdk/client/streamableHttp.js"
    );
    return new StreamableHTTPClientTransport(new URL(server), { fetch: toolFetch(MESSAGE) }) as Transport;
  }
  return new StdioTransport({
    command: server,
    arguments: [],
    environment: childEnvironment({ PATH: process.env["PATH"] }),
    messageBytes: MESSAGE,
    stderr: "inherit",
  });
}
