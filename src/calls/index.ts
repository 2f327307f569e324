/**
 * The protocol clients behind the workflow's `call` tasks, each behind one policy of destinations. A client gets plain
 * JSON, and nothing of what it sends or receives is evaluated.
 */

export { createTokenCache, type TokenCache } from "./authentication/token-cache.ts";
export type { CallContext, CallKind, CallRequest, MessagePredicate, ResourceEndpoint } from "./call.ts";
export { systemResolveHost } from "./destination/check.ts";
export { allowAll, type DestinationPolicy, denyPrivate } from "./destination/policy.ts";
export { CallError } from "./error.ts";
export { executeCall } from "./execute.ts";
export { resolveFunction } from "./functions/resolve-function.ts";
export { secretsOf } from "./mask.ts";
export { serverEnvironment } from "./mcp/server-environment.ts";
export { createResourceReader, type ResourceReaderOptions } from "./resource/reader.ts";
