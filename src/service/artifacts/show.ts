import { Type } from "@sinclair/typebox";
import { findReference, holdsOn, referencesTo } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, nullable, oneOf, Text } from "../shapes.ts";
import { Digest, notFound } from "./known.ts";
import { Hold, holdView, Reference, referenceView } from "./view.ts";

export const showArtifact = defineOperation({
  name: "artifact.show",
  scope: "read",
  summary:
    "What is known of an artifact: size, media type, where it comes from, how long it is kept, what holds it",
  method: "GET",
  path: "/artifacts/:sha256/about",
  input: closed({ sha256: Digest }),
  output: closed({
    sha256: Text,
    size: Integer,
    media_type: Text,
    name: nullable(Text),
    /** `live`: it can be read; `expired`: its retention is over; `missing`: its bytes are not there, which is a defect. */
    state: oneOf("live", "expired", "missing"),
    references: Type.Array(Reference),
    holds: Type.Array(Hold),
  }),
  run(context, { sha256 }) {
    const { tenantId } = context;
    const rows = context.views.read(referencesTo, { tenantId, sha256 });
    const found = context.views.read(findReference, { tenantId, sha256, now: context.clock.wall() });
    if (found === null) throw notFound(sha256);
    const targets = new Set([
      sha256,
      ...rows.flatMap(({ instance_id }) => (instance_id === null ? [] : [instance_id])),
    ]);
    const here = context.artifacts.has(sha256);
    return {
      ...found.known,
      state: found.expired !== null ? ("expired" as const) : here ? ("live" as const) : ("missing" as const),
      references: rows.map(referenceView),
      holds: context.views.read(holdsOn, { tenantId, targets: [...targets] }).map(holdView),
    };
  },
});
