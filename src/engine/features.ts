import { SUPPORTED_TASKS } from "./tasks/index.ts";
import { SCRIPT_LANGUAGES } from "./tasks/run-request.ts";

/**
 * What this build runs, by the names of `featuresOf`; publication refuses everything else by name. A task kind that has
 * several forms (`run`, `call`) is listed form by form.
 */
export const SUPPORTED_FEATURES: ReadonlySet<string> = new Set([
  ...SUPPORTED_TASKS.filter((kind) => kind !== "run" && kind !== "call"),
  "run.shell",
  "run.script",
  "run.container",
  ...SCRIPT_LANGUAGES.map((language) => `script.${language}`),
  "run.workflow",
  "run.detached",
  "call.http",
  "call.openapi",
  "call.grpc",
  "call.a2a",
  "call.asyncapi",
  "call.asyncapi.http",
  "call.asyncapi.ws",
  "call.mcp",
  "call.cortex",
  "call.agent",
  "call.agent-service",
  "call.function",
  "function.url",
  "function.catalog",
  "schema.resource",
  "extension",
  "schedule.cron",
  "schedule.every",
  "schedule.after",
  "schedule.on",
  "authentication.basic",
  "authentication.bearer",
  "authentication.digest",
  "authentication.oauth2",
  "authentication.oidc",
  "authentication.secret",
]);
