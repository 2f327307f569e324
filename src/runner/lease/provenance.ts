import { fail, toFailure } from "../../base/errors.ts";
import { VERSION } from "../../base/version.ts";
import { type ArtifactReference, importSecretKey, type SigningKey } from "../../protocol/index.ts";
import { provenanceStatement, signStatement } from "../../release/index.ts";
import { artifactSource } from "../files/collect.ts";
import type { LeaseContext } from "../journal/entry.ts";
import type { Reporter } from "./reporter.ts";

/** The name of the artifact that holds the provenance of the others. */
export const PROVENANCE_NAME = "provenance.intoto.json";
const MEDIA_TYPE = "application/vnd.in-toto+json";

/**
 * Sign what the artifacts of a task were made from. The key is the runner's own and never in the sandbox, and each fact is
 * from the lease or from the runner's own clock: nothing that the task does can change what is said of it.
 * @throws Failure `provenance_generation_failed`
 */
export async function signProvenance(
  context: LeaseContext,
  artifacts: readonly ArtifactReference[],
  times: { readonly startedAt: string; readonly finishedAt: string },
  key: SigningKey,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<ArtifactReference> {
  if (artifacts.some(({ name }) => name === PROVENANCE_NAME)) {
    throw fail("provenance_generation_failed", `the task hands over a file named ${PROVENANCE_NAME} itself`);
  }
  let text: string;
  try {
    const statement = provenanceStatement(artifacts, {
      tenantId: context.tenantId,
      runnerId: context.runnerId,
      instanceId: context.wfInstanceId,
      leaseId: context.leaseId,
      attempt: context.attempt,
      taskId: context.taskId,
      taskReference: context.taskReference,
      parametersDigest: context.parametersDigest ?? "",
      ...(context.commandTemplateId === undefined
        ? {}
        : { template: { id: context.commandTemplateId, digest: context.commandTemplateDigest ?? "" } }),
      approvals: context.approvalRefs ?? [],
      policyDigest: context.policyDigest,
      executionProfile: `${context.executionProfile}@${context.executionProfileVersion ?? 0}`,
      sandbox: {
        mode: context.sandbox.mode,
        provider: context.provider,
        boundary: context.boundary,
      },
      network: context.network,
      materials: [
        ...(context.provenance?.materials ?? []),
        ...(context.files ?? []).map((sha256) => ({
          uri: `artifact://sha256/${sha256}`,
          digest: { sha256 },
        })),
      ],
      ...times,
      version: VERSION,
    });
    text = `${JSON.stringify(signStatement(statement, importSecretKey(key.secret)))}\n`;
  } catch (error) {
    throw fail("provenance_generation_failed", toFailure(error).message, { cause: error });
  }
  const source = artifactSource(Buffer.from(text));
  await reporter.artifact(source, signal);
  return {
    name: PROVENANCE_NAME,
    sha256: source.sha256,
    size: source.size,
    mediaType: MEDIA_TYPE,
    uri: `artifact://sha256/${source.sha256}`,
  };
}
