import { type EffectivePolicy, type PolicyQuestion, resolveTask } from "./resolve.ts";
import { foldedOf, type SnapshotWithDigest } from "./snapshot.ts";

/** Snapshots and what a document's task asks for never change: most tasks of a busy server ask the same. */
const known = new Map<string, EffectivePolicy>();
const KEPT = 4096;

/** What a task of an instance may do. @throws Failure `execution_policy_denied`, `template_denied` */
export function effectivePolicy(snapshot: SnapshotWithDigest, question: PolicyQuestion): EffectivePolicy {
  const key = `${snapshot.digest} ${question.modelGenerated === true} ${question.fixedAction === true} ${JSON.stringify(question.layer)}`;
  let effective = known.get(key);
  if (effective === undefined) {
    effective = resolveTask(snapshot.body, foldedOf(snapshot), question);
    if (known.size >= KEPT) known.clear();
    known.set(key, effective);
  }
  return effective;
}
