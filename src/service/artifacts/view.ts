import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import type { ArtifactReferenceRow, LegalHold } from "../../store/index.ts";
import { closed, Integer, named, nullable, oneOf, Text, Time } from "../shapes.ts";

export const Kind = oneOf("artifact", "log", "reused", "upload");

/** One reference to bytes: whose it is, where it comes from, how long it is kept. */
export const Reference = named(
  "ArtifactReference",
  closed({
    sha256: Text,
    kind: Kind,
    name: nullable(Text),
    size: Integer,
    media_type: Text,
    run_id: nullable(Text),
    step_id: nullable(Text),
    attempt: nullable(Integer),
    runner_id: nullable(Text),
    uploaded_by: nullable(Text),
    policy_digest: nullable(Text),
    /** The digest of the signed statement of what it was made from. */
    provenance: nullable(Text),
    created_at: Time,
    expires_at: nullable(Time),
    expired_at: nullable(Time),
  }),
);

const time = (at: number | null): string | null => (at === null ? null : isoTime(at));

export function referenceView(row: ArtifactReferenceRow) {
  const { tenant_id: _, instance_id: _i, lease_id: _l, ...rest } = row;
  return {
    ...rest,
    created_at: isoTime(row.created_at),
    expires_at: time(row.expires_at),
    expired_at: time(row.expired_at),
  };
}

export const Hold = named(
  "LegalHold",
  closed({
    hold_id: Text,
    kind: oneOf("artifact", "run"),
    sha256: nullable(Text),
    run_id: nullable(Text),
    reason: Text,
    placed_by: Text,
    placed_at: Time,
    released_by: nullable(Text),
    released_at: nullable(Time),
    release_reason: nullable(Text),
  }),
);

export function holdView(hold: LegalHold) {
  const { id, tenant_id: _, target, kind, placed_at, released_at, ...rest } = hold;
  return {
    hold_id: id,
    kind,
    sha256: kind === "artifact" ? target : null,
    ...rest,
    placed_at: isoTime(placed_at),
    released_at: time(released_at),
  };
}

export const Reason = Type.String({ minLength: 1, maxLength: 1024 });
