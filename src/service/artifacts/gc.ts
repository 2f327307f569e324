import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import {
  countExpiredQuarantine,
  type DuePage,
  type DueReference,
  dueReferences,
  runIdOf,
  sweepArtifacts,
  wouldGo,
} from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, nullable, Text, Time } from "../shapes.ts";
import { Kind } from "./view.ts";

/** References that a dry run shows. */
const SHOWN = 1000;

/** What a sweep works with, from the parts of a service call. */
export const sweepParts = (context: ServiceContext, signal?: AbortSignal) => ({
  store: {
    read: ((query, input) => context.views.read(query, input)) as ServiceContext["views"]["read"],
    write: ((operation, input) =>
      context.records.write(operation, input)) as ServiceContext["records"]["write"],
  },
  artifacts: context.artifacts,
  removeSpool: (target: string) =>
    rm(join(context.stateDirectory, "spool", target), { recursive: true, force: true }),
  now: context.clock.wall(),
  ...(signal === undefined ? {} : { signal }),
});

export const collectArtifacts = defineOperation({
  name: "artifact.gc",
  scope: "admin",
  summary:
    "Remove what retention keeps no longer, as a host does by itself; or say what would go, and how much",
  method: "POST",
  path: "/admin/artifacts/gc",
  input: closed({ dry_run: Type.Optional(Type.Boolean()) }),
  output: closed({
    dry_run: Type.Boolean(),
    /** References whose time is over. Like all numbers here, of the caller's tenant alone. */
    expired: Integer,
    /** Artifacts that the tenant needs no more, and their bytes; they stay for as long as others need them. */
    removed: Integer,
    freed_bytes: Integer,
    quarantined: Integer,
    references: Type.Array(
      closed({
        sha256: Text,
        kind: Kind,
        name: Text,
        run_id: nullable(Text),
        size: Integer,
        expires_at: Time,
        /** Whether nothing else of the tenant needs its bytes. */
        removes_bytes: Type.Boolean(),
      }),
    ),
    more: Type.Boolean(),
  }),
  async run(context, input, signal) {
    if (input.dry_run !== true) {
      const { expired, removed, bytes, quarantined } = await sweepArtifacts({
        ...sweepParts(context, signal),
        tenantId: context.tenantId,
      });
      return {
        dry_run: false,
        expired,
        removed,
        freed_bytes: bytes,
        quarantined,
        references: [],
        more: false,
      };
    }
    return preview(context);
  },
});

function preview({ views, tenantId, clock }: ServiceContext) {
  const now = clock.wall();
  const due: DueReference[] = [];
  let after: DueReference | null = null;
  do {
    const page: DuePage = views.read(dueReferences, { now, tenantId, after, limit: SHOWN });
    due.push(...page.references);
    after = page.after;
  } while (after !== null && due.length < SHOWN);
  const sizes = new Map<string, number>();
  for (const { sha256, size } of due)
    if (!sizes.has(sha256)) sizes.set(sha256, views.read(wouldGo, { tenantId, sha256, now }) ? size : -1);
  const going = [...sizes.values()].filter((size) => size >= 0);
  return {
    dry_run: true,
    expired: due.length,
    removed: going.length,
    freed_bytes: going.reduce((sum, size) => sum + size, 0),
    quarantined: views.read(countExpiredQuarantine, { tenantId, now }),
    references: due.map(({ sha256, kind, name, instance_id, size, expires_at }) => ({
      sha256,
      kind,
      name,
      run_id: instance_id === null ? null : views.read(runIdOf, instance_id),
      size,
      expires_at: isoTime(expires_at),
      removes_bytes: sizes.get(sha256)! >= 0,
    })),
    more: after !== null,
  };
}
