import type { Json, JsonObject } from "../../base/json.ts";
import type { WorkspacePolicy } from "../../policy/index.ts";
import type { RunOptions } from "../cache/consult.ts";

/** A run that is asked for: what the service hands to the orchestrator role, wherever that runs. */
/** What a step of another run gave, and whether that is a runner's record of what it executed. */
export interface Reused {
  readonly reference: string;
  readonly output: Json;
  readonly record?: boolean;
}

export interface StartRun {
  tenantId: string;
  runId: string;
  /** True when the caller named the run and a repeat with the same content should find it. */
  idempotent: boolean;
  sourceEventId: string | null;
  /** Asset or document name, for lists. */
  workflow: string;
  assetId: string | null;
  document: JsonObject;
  digest: string;
  input: Json;
  /** The policies of the project that the document comes from. */
  workspace?: readonly WorkspacePolicy[] | undefined;
  options?: RunOptions | undefined;
  reuse?: readonly Reused[] | undefined;
  /** Its input may be private to the tenant. */
  private?: boolean | undefined;
}

/** What an operator says became of a call whose outcome is not known. */
export type CallResolution =
  | { readonly as: "succeeded"; readonly output: Json }
  | { readonly as: "failed"; readonly reason: string }
  | { readonly as: "retry" };
