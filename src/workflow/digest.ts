import { digestOf } from "../base/canonical.ts";
import type { WorkflowDocument } from "./schema/index.ts";

/** `sha256:` + hex over the canonical JSON of the document: equal however it was written down. */
export function documentDigest(document: WorkflowDocument): string {
  return digestOf(document);
}
