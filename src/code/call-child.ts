import { writeFileSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { silentLog } from "../base/log.ts";
import {
  allowAll,
  CallError,
  type CallKind,
  createTokenCache,
  executeCall,
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
 * host up that the lease names, once, and connects to the address that it checked. The answer, or the call's own error,
 * goes into the file that LIGHTFLOW_OUTPUT names.
 * @returns the exit code
 */
export async function runCallChild(): Promise<number> {
  try {
    const asked = JSON.parse(await Bun.stdin.text()) as Asked;
    const secrets = Object.entries(asked.secrets).map(([pointer, name]) => {
      const value = process.env[name] ?? "";
      put(asked.with, pointer, schemeOf(pointer, value));
      return value;
    });
    writeFileSync(process.env["LIGHTFLOW_OUTPUT"]!, JSON.stringify(await answerOf(asked, secrets)));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

async function answerOf(asked: Asked, secrets: readonly string[]): Promise<JsonObject> {
  const { kind, with: args, timeoutMs, idempotencyKey } = asked;
  try {
    const result = await executeCall(
      { kind, with: args, timeoutMs, idempotencyKey, secrets },
      {
        fetch,
        resolveHost: systemResolveHost,
        policy: { ...allowAll, schemes: ["http", "https"], processes: false },
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
    const { type, status, title, detail, sent } = error;
    return { error: { type, status, title, detail, sent } };
  }
}

/** The secret of a bearer may be its token alone; that of any other scheme is an object with its properties. */
const schemeOf = (pointer: string, value: string): Json =>
  pointer.endsWith("/bearer") && !value.startsWith("{") ? { token: value } : (JSON.parse(value) as Json);

function put(root: JsonObject, pointer: string, value: Json): void {
  const tokens = pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  let holder = root;
  for (const token of tokens.slice(0, -1)) holder = holder[token] as JsonObject;
  holder[tokens.at(-1)!] = value;
}
