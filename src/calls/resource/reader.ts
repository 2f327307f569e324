import { realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import { LIMITS } from "../../base/limits.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallContext, CallScope, ResourceEndpoint } from "../call.ts";
import { CallError, callError } from "../error.ts";
import { addressOf, readEndpoint } from "../http/arguments.ts";
import { sendHttp } from "../http/send.ts";
import { mask, secretsOf } from "../mask.ts";

export interface ResourceReaderOptions {
  /** Where `file:` addresses are read: relative ones from `base`, and none outside of `within`. Without it, none are. */
  readonly files?: { readonly base: string; readonly within: string };
  readonly timeoutMs: number;
}

/**
 * A reader of external resources (OpenAPI and AsyncAPI documents, protos, functions) over HTTP, behind the destination
 * policy, and over `file:` where the options name a place for it.
 * @throws CallError
 */
export function createResourceReader(
  context: Omit<CallContext, "readResource">,
  options: ResourceReaderOptions,
): CallContext["readResource"] {
  const read = async (resource: ResourceEndpoint): Promise<Uint8Array> => {
    const { uri, authentication } = readEndpoint(resource as never);
    if (/^file:/i.test(uri)) return await readFile(uri, options.files);
    const url = addressOf(uri, undefined);
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(options.timeoutMs)]);
    const scope: CallScope = {
      ...context,
      signal,
      resolveHost: (name) => context.resolveHost(name),
      readResource: read,
      idempotencyKey: "",
      deadline: context.clock.monotonic() + options.timeoutMs,
      sent: "none",
      secrets: new Set(secretsOf(authentication)),
    };
    try {
      const answer = await sendHttp(
        { method: "GET", url, headers: new Headers() },
        {
          redirect: true,
          credentials: credentialsFor(authentication, scope),
          limit: LIMITS.callDocumentBytes,
        },
        scope,
      );
      return answer.body;
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      throw callError(error.type, mask(error.detail, scope.secrets), error.status);
    }
  };
  return read;
}

/** `file:///absolute`, or `file://relative/path` as the DSL's own examples write it. */
async function readFile(uri: string, files: ResourceReaderOptions["files"]): Promise<Uint8Array> {
  if (files === undefined) throw callError("authorization", "`file:` addresses are not read here");
  const refused = () => callError("configuration", "the file is missing, or outside of what may be read");
  let path: string;
  let within: string;
  try {
    path = realpathSync(
      resolve(files.base, decodeURIComponent(uri.replace(/^file:(?:\/\/(?=[^/]|\/))?/i, ""))),
    );
    within = realpathSync(files.within);
  } catch {
    throw refused();
  }
  if (path !== within && !path.startsWith(within.endsWith(sep) ? within : within + sep)) throw refused();
  const file = Bun.file(path);
  if (file.size > LIMITS.callDocumentBytes)
    throw callError("configuration", `the file is over ${LIMITS.callDocumentBytes} bytes`);
  try {
    return await file.bytes();
  } catch {
    throw refused();
  }
}
