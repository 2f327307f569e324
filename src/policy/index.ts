export * from "./profile.ts";
export * from "./resolve.ts";
