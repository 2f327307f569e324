import { relative } from "node:path";
import { canonicalJson, sha256 } from "../../../base/canonical.ts";
import type { SandboxRequest } from "../sandbox.ts";

export interface KubernetesJobOptions {
  /** `name@sha256:…` */
  readonly image: string;
  /** A volume claim that holds the runner's data directory: how the pod sees the workspace of its task. */
  readonly volumeClaim: string;
  readonly dataDirectory: string;
  /** Who made it: own objects are found by it. */
  readonly owner: string;
  readonly serviceUser: number;
  readonly temporaryBytes: number;
  /** For a task without a longest time of its own. */
  readonly longestSeconds: number;
}

/** How long a pod may take from its creation to a running container: an image may have to be fetched. */
export const START_MS = 300_000;
/** Between the end of a task and the removal of its Job, where its runner lives. */
const REMOVAL_MS = 60_000;

/** A Job whose runner never comes back ends by itself: it is counted from its creation. */
const activeSeconds = ({ longestMs }: SandboxRequest, { longestSeconds }: KubernetesJobOptions): number =>
  longestMs === undefined ? longestSeconds : Math.ceil((START_MS + longestMs + REMOVAL_MS) / 1000);

export const LEASE_LABEL = "lightflow.dev/lease";
export const OWNER_LABEL = "lightflow.dev/runner";
/** A network policy of the namespace closes the network of pods that carry `deny-all`. */
export const NETWORK_LABEL = "lightflow.dev/network";
export const REQUEST_ANNOTATION = "lightflow.dev/request";

export const jobName = (operationId: string): string => `lightflow-${operationId}`;

/**
 * The command waits for a word on its standard input: a pod whose runner died reads an end instead, and runs nothing.
 * The shell reads no byte beyond the line.
 */
const gate = (hasInput: boolean): string =>
  `read -r word && [ "$word" = go ] || exit 125; exec "$@"${hasInput ? "" : " </dev/null"}`;

const labelsOf = (request: SandboxRequest, options: KubernetesJobOptions) => ({
  [LEASE_LABEL]: request.operationId,
  [OWNER_LABEL]: options.owner,
  [NETWORK_LABEL]: request.network,
});

/** The environment, which may hold secrets: it stands in an object that is made for secrets, and goes with the Job. */
export const secretOf = (request: SandboxRequest, options: KubernetesJobOptions) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: jobName(request.operationId), labels: labelsOf(request, options) },
  immutable: true,
  stringData: { ...request.environment },
});

/** One pod, once: no retry of the cluster's own, no rights, nothing of the cluster in sight. */
export function jobOf(request: SandboxRequest, options: KubernetesJobOptions) {
  const name = jobName(request.operationId);
  const labels = labelsOf(request, options);
  const memory: Record<string, string> =
    request.memoryBytes === undefined ? {} : { memory: String(request.memoryBytes) };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      labels,
      annotations: { [REQUEST_ANNOTATION]: sha256(canonicalJson(request)) },
    },
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      podReplacementPolicy: "Failed",
      activeDeadlineSeconds: activeSeconds(request, options),
      ttlSecondsAfterFinished: 3_600,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: options.serviceUser,
            runAsGroup: options.serviceUser,
            fsGroup: options.serviceUser,
            seccompProfile: { type: "RuntimeDefault" },
          },
          containers: [
            {
              name: "task",
              image: request.image ?? options.image,
              command: ["/bin/sh", "-c", gate(request.stdin !== undefined), "sh", request.command],
              args: [...request.arguments],
              workingDir: request.directory,
              envFrom: [{ secretRef: { name } }],
              stdin: true,
              stdinOnce: true,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
              },
              resources: { limits: memory, requests: memory },
              volumeMounts: [
                { name: "temporary", mountPath: "/tmp" },
                ...request.writable.map((path) => ({
                  name: "data",
                  mountPath: path,
                  subPath: relative(options.dataDirectory, path),
                })),
              ],
            },
          ],
          volumes: [
            { name: "temporary", emptyDir: { sizeLimit: String(options.temporaryBytes) } },
            { name: "data", persistentVolumeClaim: { claimName: options.volumeClaim } },
          ],
        },
      },
    },
  };
}
