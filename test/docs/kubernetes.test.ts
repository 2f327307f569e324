import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { parseRunnerFile } from "../../src/cli/runner/file.ts";
import { effectiveConfig } from "../../src/runner/config.ts";

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}
interface Container {
  readonly image: string;
  readonly env?: readonly object[];
  readonly securityContext: object;
  readonly resources: { readonly limits: { readonly memory?: string } };
  readonly volumeMounts: readonly Mount[];
}
/** The parts of the four kinds that are looked at. */
interface Manifest {
  readonly kind: string;
  readonly automountServiceAccountToken?: boolean;
  readonly data: { readonly "runner.yaml": string };
  readonly spec: {
    readonly accessModes: readonly string[];
    readonly replicas: number;
    readonly strategy: { readonly type: string };
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly automountServiceAccountToken: boolean;
        readonly securityContext: object;
        readonly containers: readonly Container[];
        readonly initContainers: readonly Container[];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const documents = parseAllDocuments(
  readFileSync(join(import.meta.dir, "../../docs/runner.kubernetes.yaml"), "utf8"),
).map((document) => {
  expect(document.errors).toEqual([]);
  return document.toJS() as Manifest;
});
const of = (kind: string): Manifest => documents.find((document) => document.kind === kind)!;

test("the Kubernetes manifest runs one unprivileged runner with one journal, and gives it nothing of the cluster", () => {
  const { replicas, strategy, template } = of("Deployment").spec;
  expect([replicas, strategy.type]).toEqual([1, "Recreate"]);
  const pod = template.spec;
  expect(pod.terminationGracePeriodSeconds).toBe(45);
  expect(pod.automountServiceAccountToken).toBe(false);
  expect(of("ServiceAccount").automountServiceAccountToken).toBe(false);
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001 });
  for (const container of [...pod.containers, ...pod.initContainers]) {
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.image).toContain("@sha256:");
    expect(container.resources.limits.memory).toBeDefined();
    expect(container.env?.some((each) => "valueFrom" in each) ?? false).toBe(false);
  }
  expect(of("PersistentVolumeClaim").spec.accessModes).toEqual(["ReadWriteOnce"]);
  const runner = pod.containers[0]!;
  // The only places that can be written to are volumes of its own.
  const writable = runner.volumeMounts.filter((mount) => mount.readOnly !== true);
  expect(writable.map((mount) => mount.mountPath)).toEqual(["/var/lib/lightflow", "/tmp"]);
  const names = pod.volumes.map((volume) => volume.name);
  for (const mount of [...runner.volumeMounts, ...pod.initContainers[0]!.volumeMounts])
    expect(names).toContain(mount.name);
  for (const shared of ["hostNetwork", "hostPID", "hostIPC"]) expect(pod).not.toHaveProperty(shared);
});

test("the manifest's runner.yaml is one, keeps its journal on the volume, and drains within the grace", () => {
  const text = of("ConfigMap").data["runner.yaml"].replaceAll("CONTROLLER", "controller");
  const { version: _, controllerUrl, credentialFile, ...file } = parseRunnerFile(text, "runner.yaml");
  expect([controllerUrl, credentialFile]).toEqual(["https://controller:5175", "/run/credentials/token"]);
  const config = effectiveConfig({
    tenantId: "default",
    runnerPools: ["default"],
    executionProfiles: ["default"],
    ...file,
  });
  expect(config.dataDirectory).toBe("/var/lib/lightflow");
  expect(config.drainMs + config.killGraceMs + 5_000).toBeLessThan(45_000);
  expect(config.healthAddress).toBe("127.0.0.1:9464");
});
