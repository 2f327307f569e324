import { writeFileSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import { pointerTokens } from "../base/pointer.ts";
import {
  allowAll,
  CallError,
  type CallKind,
  createTokenCache,
  executeCall,
  serverEnvironment,
  systemResolveHost,
} from "../calls/index.ts";

interface Asked {
  readonly kind: CallKind;
  readonly with: JsonObject;
  /** Variables of the environment that hold a secret, by the pointer in `with` where its value belongs. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly idempotencyKey: string;
}

/**
 * The child that makes a call inside the sandbox of its task. Its only way out is the runner's proxy, which looks the one
 * host up that the lease names, once, and connects to the address that it checked; or the program that the lease names,
 * which it starts beside itself. The answer, or the call's own error, goes into the file that LIGHTFLOW_OUTPUT names.
 * @param server the program of an MCP server with its arguments; empty for a call to an address
 * @returns the exit code
 */
export async function runCallChild(server: readonly string[]): Promise<number> {
  try {
    const asked = withServer(JSON.parse(await Bun.stdin.text()) as Asked, server);
    const secrets = Object.entries(asked.secrets).map(([pointer, name]) => {
      const value = process.env[name] ?? "";
      put(asked.with, pointer, schemeOf(pointer, value));
      return value;
    });
    writeFileSync(
      process.env["LIGHTFLOW_OUTPUT"]!,
      JSON.stringify(await answerOf(asked, secrets, server.length > 0)),
    );
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

/** The program stands in the child's own arguments, where the runner put it: what is asked on standard input names none. */
function withServer(asked: Asked, [command, ...args]: readonly string[]): Asked {
  if (command === undefined) return asked;
  return { ...asked, with: { ...asked.with, transport: { stdio: { command, arguments: args } } } };
}

async function answerOf(asked: Asked, secrets: readonly string[], program: boolean): Promise<JsonObject> {
  const { kind, with: args, timeoutMs, idempotencyKey } = asked;
  try {
    const result = await executeCall(
      { kind, with: args, timeoutMs, idempotencyKey, secrets },
      {
        fetch,
        resolveHost: systemResolveHost,
        policy: { ...allowAll, schemes: program ? [] : ["http", "https"], processes: program },
        // What it says on stderr is the task's log.
        programs: { environment: serverEnvironment(process.env), stderr: "inherit" },
        clock: systemClock,
        signal: new AbortController().signal,
        log: silentLog,
        tokenCache: createTokenCache(),
        readResource: async () => {
          throw new CallError(
            "configuration",
            "a call that a runner makes reads no other files",
            400,
            "none",
          );
        },
      },
    );
    return { result };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const { type, status, title, detail, sent, code } = error;
    return { error: { type, status, title, detail, sent, ...(code === undefined ? {} : { code }) } };
  }
}

/** The secret of a bearer may be its token alone; that of any other scheme is an object with its properties. */
const schemeOf = (pointer: string, value: string): Json =>
  pointer.endsWith("/bearer") && !value.startsWith("{") ? { token: value } : (JSON.parse(value) as Json);

function put(root: JsonObject, pointer: string, value: Json): void {
  const tokens = pointerTokens(pointer);
  let holder = root;
  for (const token of tokens.slice(0, -1)) holder = holder[token] as JsonObject;
  holder[tokens.at(-1)!] = value;
}
