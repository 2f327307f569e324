import type { Json } from "../base/json.ts";

/** What a document asks for as the files that a task works on. */
export type WorkspaceWish =
  | { readonly kind: "ephemeral" }
  | { readonly kind: "session" }
  /** A copy of the session's files, or of a directory of the runner's host where there is a path. */
  | { readonly kind: "copy"; readonly path: string | null; readonly commit: boolean };

/** `metadata.lightWorkflow.workspace`, as its schema has it. */
export function workspaceWish(value: Json | undefined): WorkspaceWish {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const { copyOnWrite, commit } = value;
    const path = copyOnWrite === "session" ? null : String(copyOnWrite);
    return { kind: "copy", path, commit: commit === true };
  }
  return { kind: value === "session" ? "session" : "ephemeral" };
}

/** Whether what a task sees depends on other steps of its run, or what they see on it. */
export function touchesSession(value: Json | undefined): boolean {
  const wish = workspaceWish(value);
  return wish.kind === "session" || (wish.kind === "copy" && (wish.path === null || wish.commit));
}
