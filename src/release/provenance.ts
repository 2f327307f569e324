import type { KeyObject } from "node:crypto";
import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { type Envelope, openEnvelope } from "./envelope.ts";

export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const PROVENANCE_TYPE = "https://slsa.dev/provenance/v1";
/** What `externalParameters` and `internalParameters` of a provenance of ours mean: docs/14-release.md. */
const BUILD_TYPE = "https://lightflow.dev/provenance/runner-task/v1";

export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

export interface Material {
  /** `git+file:///srv/repository`, `artifact://sha256/…`. */
  readonly uri: string;
  /** By algorithm, such as `gitCommit` or `sha256`. */
  readonly digest: Readonly<Record<string, string>>;
}

/** What the signer knows of a task: from its lease and its own clock, nothing from what the task printed. */
export interface TaskFacts {
  readonly tenantId: string;
  readonly runnerId: string;
  readonly instanceId: string;
  readonly leaseId: string;
  readonly attempt: number;
  readonly taskId: string;
  readonly taskReference: string;
  /** Of the program with its arguments, environment and standard input. */
  readonly parametersDigest: string;
  readonly template?: { readonly id: string; readonly digest: string };
  readonly approvals: readonly string[];
  readonly policyDigest: string;
  readonly executionProfile: string;
  readonly sandbox: { readonly mode: string; readonly provider: string; readonly boundary: string };
  readonly network: string;
  readonly materials: readonly Material[];
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly version: string;
}

/** SLSA provenance v1 (slsa.dev/spec/v1.0/provenance) of the artifacts of one task, as an in-toto statement. */
export function provenanceStatement(subjects: readonly Subject[], facts: TaskFacts): JsonObject {
  if (subjects.length === 0) throw fail("provenance_generation_failed", "there is no artifact to speak of");
  return {
    _type: STATEMENT_TYPE,
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          task: facts.taskId,
          reference: facts.taskReference,
          parametersDigest: facts.parametersDigest,
          ...(facts.template === undefined ? {} : { commandTemplate: { ...facts.template } }),
        },
        internalParameters: {
          tenant: facts.tenantId,
          policyDigest: facts.policyDigest,
          executionProfile: facts.executionProfile,
          sandbox: { ...facts.sandbox },
          network: facts.network,
          approvals: [...facts.approvals],
        },
        resolvedDependencies: facts.materials.map(({ uri, digest }) => ({ uri, digest: { ...digest } })),
      },
      runDetails: {
        builder: {
          id: `https://lightflow.dev/runner/${encodeURIComponent(facts.tenantId)}/${encodeURIComponent(facts.runnerId)}`,
          version: { lightflow: facts.version },
        },
        metadata: {
          invocationId: `${facts.instanceId}/${facts.leaseId}/${facts.attempt}`,
          startedOn: facts.startedAt,
          finishedOn: facts.finishedAt,
        },
      },
    },
  };
}

export interface Verified {
  readonly subject: string;
  readonly sha256: string;
  readonly builder: string;
  readonly invocation: string;
  readonly policyDigest: string | null;
  readonly materials: readonly JsonObject[];
  readonly startedOn: string | null;
  readonly finishedOn: string | null;
}

const invalid = (why: string) => fail("provenance_invalid", why);
const member = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), value);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

/**
 * Whether an artifact is what a provenance says it is: signature, types, and the digest among the subjects.
 * @throws Failure `provenance_invalid`
 */
export function verifyProvenance(envelope: Envelope, sha256: string, publicKey: KeyObject): Verified {
  const statement = openEnvelope(envelope, publicKey);
  if (statement["_type"] !== STATEMENT_TYPE) throw invalid(`the statement is not ${STATEMENT_TYPE}`);
  if (statement["predicateType"] !== PROVENANCE_TYPE)
    throw invalid(`the statement is ${String(statement["predicateType"])}, not ${PROVENANCE_TYPE}`);
  const subjects = Array.isArray(statement["subject"]) ? statement["subject"] : [];
  const found = subjects.find((each) => member(each, "digest", "sha256") === sha256);
  if (found === undefined) {
    throw fail("artifact_digest_mismatch", `no subject of the provenance has the digest sha256:${sha256}`, {
      hint: "the artifact is another one than the provenance was made for, or was changed since",
    });
  }
  const { predicate } = statement;
  const builder = text(member(predicate, "runDetails", "builder", "id"));
  const invocation = text(member(predicate, "runDetails", "metadata", "invocationId"));
  if (
    member(predicate, "buildDefinition", "buildType") !== BUILD_TYPE ||
    builder === null ||
    invocation === null
  )
    throw invalid("the provenance is not one that a runner makes");
  const materials = member(predicate, "buildDefinition", "resolvedDependencies");
  return {
    subject: text(member(found, "name")) ?? "",
    sha256,
    builder,
    invocation,
    policyDigest: text(member(predicate, "buildDefinition", "internalParameters", "policyDigest")),
    materials: (Array.isArray(materials) ? materials : []) as JsonObject[],
    startedOn: text(member(predicate, "runDetails", "metadata", "startedOn")),
    finishedOn: text(member(predicate, "runDetails", "metadata", "finishedOn")),
  };
}
