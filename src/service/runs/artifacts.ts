import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { findRun, listArtifacts } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, named, nullable, RunId, Text, Time } from "../shapes.ts";

const Artifact = named(
  "RunArtifact",
  closed({
    step_id: Text,
    attempt: Integer,
    name: Text,
    sha256: Text,
    size: Integer,
    media_type: Text,
    created_at: Time,
    expires_at: nullable(Time),
    expired_at: nullable(Time),
    path: nullable(Text),
  }),
);

export interface ArtifactView {
  step_id: string;
  attempt: number;
  name: string;
  sha256: string;
  size: number;
  media_type: string;
  created_at: string;
  expires_at: string | null;
  expired_at: string | null;
  /** Where the bytes are, for a caller on this host. */
  path: string | null;
}

export const getArtifacts = defineOperation({
  name: "run.artifacts",
  scope: "read",
  summary: "What a run handed over, by digest",
  method: "GET",
  path: "/runs/:run_id/artifacts",
  input: closed({ run_id: RunId }),
  output: closed({ artifacts: Type.Array(Artifact) }),
  run(context, input): { artifacts: ArtifactView[] } {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    return {
      artifacts: context.views.read(listArtifacts, { instanceId: row.id }).map((artifact) => ({
        step_id: artifact.step_id,
        attempt: artifact.attempt,
        name: artifact.name,
        sha256: artifact.sha256,
        size: artifact.size,
        media_type: artifact.media_type,
        created_at: isoTime(artifact.created_at),
        expires_at: artifact.expires_at === null ? null : isoTime(artifact.expires_at),
        expired_at: artifact.expired_at === null ? null : isoTime(artifact.expired_at),
        path:
          context.trustsPaths && artifact.expired_at === null
            ? context.artifacts.path(artifact.sha256)
            : null,
      })),
    };
  },
});
