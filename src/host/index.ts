export { openAgentService } from "./agent-service.ts";
export {
  type Client,
  connectOrHost,
  connectToOrchestrator,
  connectToRead,
  connectToRecords,
  connectToStore,
  hasStore,
} from "./client.ts";
export { type CtxProjection, startCtx } from "./ctx.ts";
export { type Host, openHost } from "./host.ts";
export { DEFAULT_TENANT, hostLockPath, storePath } from "./parts.ts";
export { startRemoteRunner } from "./remote-runner.ts";
export { openController, openGateway, openOrchestrator, type Role } from "./roles.ts";
