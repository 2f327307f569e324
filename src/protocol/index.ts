export * from "./admission.ts";
export * from "./common.ts";
export * from "./lease.ts";
export * from "./report.ts";
export * from "./routes.ts";
export * from "./session.ts";
export * from "./signature.ts";
export { validate } from "./validate.ts";
export { touchesSession, type WorkspaceWish, workspaceWish } from "./workspace.ts";
