import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Artifacts, openArtifacts } from "../../src/artifacts/index.ts";
import { sha256 } from "../../src/base/canonical.ts";
import { findReference, noteUpload, pendingRemovals, Store, sweepArtifacts } from "../../src/store/index.ts";
import type { Transaction } from "../../src/store/operation.ts";

/** Bytes of each kind that a sweep meets. */
export const SCENE = {
  /** Nobody needs them. */
  over: "over",
  /** Of two tenants, one of which keeps them. */
  shared: "shared",
  /** The same that a hold keeps. */
  held: "held",
  log: "log",
} as const;
const LEASE = "lease";
export const digest = (name: keyof typeof SCENE): string => sha256(SCENE[name]);

export interface Scene {
  store: Store;
  artifacts: Artifacts;
  spool: string;
  now: number;
}

export function openScene(directory: string): Scene {
  return {
    store: Store.open(join(directory, "store.db")),
    artifacts: openArtifacts(join(directory, "artifacts")),
    spool: join(directory, "spool"),
    // Well after whatever the scene notes.
    now: Date.now() + 60_000,
  };
}

/** References whose time is over, and one that is not; a log with its spooled output; an upload in the quarantine. */
export async function setScene({ store, artifacts, spool, now }: Scene): Promise<void> {
  for (const text of Object.values(SCENE)) await artifacts.put(Buffer.from(text));
  const upload = (name: keyof typeof SCENE, tenantId: string, retentionMs: number | null) =>
    noted(store, { tenantId, sha256: digest(name), size: SCENE[name].length, retentionMs });
  await upload("over", "a", 0);
  await upload("shared", "a", 0);
  await upload("shared", "b", null);
  await upload("held", "a", 0);
  const size = 3;
  await artifacts
    .append(Buffer.from("bad"), { key: "k", sha256: "0".repeat(64), size, offset: 0, mayKnow: true })
    .catch(() => {});
  const [aside] = artifacts.quarantined();
  await store.write((tx: Transaction) => {
    tx.run(
      "INSERT INTO legal_hold (id, tenant_id, kind, target, reason, placed_by, placed_at) VALUES ('h', 'b', 'artifact', ?, 'r', 'me', 1)",
      digest("held"),
    );
    tx.run(
      `INSERT INTO artifact (instance_id, lease_id, name, sha256, size, media_type, kind, created_at, tenant_id, expires_at)
       VALUES ('none', ?, 'stdout', ?, 3, 'text/plain', 'log', ?, 'a', ?)`,
      LEASE,
      digest("log"),
      Date.now(),
      now,
    );
    tx.run(
      "INSERT INTO log_chunk (lease_id, stream, seq, position, size, sha256, final, received_at) VALUES (?, 'stdout', 0, 0, 3, '', 1, 1)",
      LEASE,
    );
    tx.run(
      `INSERT INTO quarantined_upload (id, tenant_id, instance_id, lease_id, announced, actual, size, created_at, expires_at)
       VALUES (?, 'a', 'none', ?, '', '', 3, 1, ?)`,
      aside!.id,
      LEASE,
      now,
    );
  }, null);
  mkdirSync(join(spool, LEASE), { recursive: true });
  writeFileSync(join(spool, LEASE, "stdout"), SCENE.log);
}

export const noted = (
  store: Store,
  upload: { tenantId: string; sha256: string; size: number; retentionMs: number | null },
): Promise<boolean> =>
  store.write(noteUpload, {
    ...upload,
    media_type: "text/plain",
    name: null,
    actor: "me",
    now: Date.now(),
  });

/**
 * Sweep with a word before and after each step that something else could come between: each transaction, each look and
 * each change of a file.
 */
export function sweepSteps(scene: Scene, step: (name: string) => Promise<void> | void) {
  const { store, artifacts, spool, now } = scene;
  const around = <Arguments extends unknown[], Result>(
    name: string,
    work: (...given: Arguments) => Promise<Result>,
  ): ((...given: Arguments) => Promise<Result>) => {
    return async (...given) => {
      await step(`before ${name}`);
      const result = await work(...given);
      await step(`after ${name}`);
      return result;
    };
  };
  /** Of what is done in one turn: nothing of this process comes between, another one might. */
  const atOnce = <Arguments extends unknown[], Result>(
    name: string,
    work: (...given: Arguments) => Result,
  ): ((...given: Arguments) => Result) => {
    return (...given) => {
      void step(`before ${name}`);
      const result = work(...given);
      void step(`after ${name}`);
      return result;
    };
  };
  return sweepArtifacts({
    store: {
      read: atOnce("read", (query, input) => store.read(query, input)) as Store["read"],
      write: around("write", (operation, input) => store.write(operation, input)) as Store["write"],
    },
    artifacts: {
      ...artifacts,
      beginRemoval: atOnce("begin", artifacts.beginRemoval),
      endRemoval: around("end", artifacts.endRemoval),
      discard: around("discard", artifacts.discard),
      syncRemovals: around("sync", artifacts.syncRemovals),
    },
    removeSpool: around("spool", (target: string) =>
      rm(join(spool, target), { recursive: true, force: true }),
    ),
    now,
  });
}

/** What is left of the scene: which bytes can be read, what each tenant knows, what is still to be done. */
export function lookAt({ store, artifacts, spool, now }: Scene) {
  const knows = (name: keyof typeof SCENE, tenantId: string) => {
    const found = store.read(findReference, { tenantId, sha256: digest(name), now });
    return found === null ? "nothing" : found.expired === null ? "live" : "expired";
  };
  return {
    bytes: Object.keys(SCENE).filter((name) => existsSync(artifacts.path(digest(name as never)))),
    known: { over: knows("over", "a"), sharedA: knows("shared", "a"), sharedB: knows("shared", "b") },
    log: {
      spooled: existsSync(join(spool, LEASE, "stdout")),
      chunks: store.read((tx) => tx.get<{ n: number }>("SELECT count(*) AS n FROM log_chunk")!.n, null),
    },
    quarantined: artifacts.quarantined().length,
    pending: store.read(pendingRemovals, { after: null, limit: 100 }).length,
  };
}

export const SWEPT = {
  bytes: ["shared", "held"],
  known: { over: "expired", sharedA: "expired", sharedB: "live" },
  log: { spooled: false, chunks: 0 },
  quarantined: 0,
  pending: 0,
} as const;
