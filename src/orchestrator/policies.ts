import { fail } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import {
  type PolicySnapshot,
  type SnapshotWithDigest,
  snapshotPolicy,
  type WorkspacePolicy,
} from "../policy/index.ts";
import { policyGeneration, policyRegistry, readPolicy, type Store } from "../store/index.ts";

const KEPT = 1024;

/** The policy snapshots of one orchestrator: made at a start, and read again for what runs. */
export class Policies {
  readonly #store: Store;
  /** By tenant, definition, workspace and what was published until then: a start that was made before costs one look. */
  readonly #made = new Map<string, SnapshotWithDigest>();
  readonly #stored = new Map<string, SnapshotWithDigest>();
  readonly #texts = new WeakMap<SnapshotWithDigest, string>();
  /** What was published until a commit. */
  #generation = { at: -1, value: 0 };

  constructor(store: Store) {
    this.#store = store;
  }

  /** The snapshot for a new instance of a document. @throws Failure `execution_policy_denied`, `template_denied` */
  for(
    tenantId: string,
    document: JsonObject,
    digest: string,
    workspace: readonly WorkspacePolicy[] = [],
  ): SnapshotWithDigest {
    const generation = this.#currentGeneration();
    const own = workspace.length === 0 ? "" : JSON.stringify(workspace);
    const key = `${generation} ${tenantId} ${digest} ${own}`;
    const before = this.#made.get(key);
    if (before !== undefined) return before;
    const registry = this.#store.read(policyRegistry, { tenantId });
    if (registry.tenantRevoked) {
      throw fail("execution_policy_denied", `the tenant ${tenantId} is revoked`, {
        details: { tenant: tenantId },
      });
    }
    const made = snapshotPolicy(registry, document, workspace);
    keep(this.#made, key, made);
    keep(this.#stored, made.digest, made);
    return made;
  }

  /** Looked at once after each commit of any process, not for each start. */
  #currentGeneration(): number {
    const at = this.#store.commits();
    if (this.#generation.at !== at)
      this.#generation = { at, value: this.#store.read(policyGeneration, null) };
    return this.#generation.value;
  }

  /** As it is stored with the instances that have it. */
  stored(policy: SnapshotWithDigest): { digest: string; body: string } {
    let body = this.#texts.get(policy);
    if (body === undefined) {
      body = JSON.stringify(policy.body);
      this.#texts.set(policy, body);
    }
    return { digest: policy.digest, body };
  }

  /** The snapshot of an instance that was started before. */
  of(digest: string): SnapshotWithDigest {
    const known = this.#stored.get(digest);
    if (known !== undefined) return known;
    const stored = this.#store.read(readPolicy, digest);
    if (stored === null) throw fail("internal", `the policy snapshot ${digest} is missing`);
    const snapshot = { digest, body: stored as unknown as PolicySnapshot };
    keep(this.#stored, digest, snapshot);
    return snapshot;
  }
}

function keep(map: Map<string, SnapshotWithDigest>, key: string, value: SnapshotWithDigest): void {
  if (map.size >= KEPT) map.delete(map.keys().next().value!);
  map.set(key, value);
}
