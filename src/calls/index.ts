/**
 * The protocol clients behind the workflow's `call` tasks, each behind one policy of destinations. A client gets plain
 * JSON, and nothing of what it sends or receives is evaluated.
 */

export { SUPPORTED_ASYNCAPI_PROTOCOLS } from "./asyncapi/protocols.ts";
export { authenticationOf } from "./authentication/credentials.ts";
export { createTokenCache, type TokenCache } from "./authentication/token-cache.ts";
export {
  CALL_KINDS,
  type CallContext,
  type CallKind,
  type CallRequest,
  type MessagePredicate,
  type ResourceEndpoint,
} from "./call.ts";
export { checkDestination, systemResolveHost } from "./destination/check.ts";
export { allowAll, type DestinationPolicy, denyPrivate, destinationPolicy } from "./destination/policy.ts";
export { CallError, type CallErrorType, type Sent } from "./error.ts";
export { executeCall } from "./execute.ts";
export {
  type FunctionSources,
  type ResolvedFunction,
  resolveFunction,
} from "./functions/resolve-function.ts";
export { secretsOf } from "./mask.ts";
export { serverEnvironment } from "./mcp/server-environment.ts";
export { createResourceReader, type ResourceReaderOptions } from "./resource/reader.ts";
