import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerBenches } from "../../../../test/support/runner.ts";
import { testCertificates } from "../../../calls/testing/certificates.ts";
import { runToEnd, sandboxConformance, shellRequest } from "../conformance.ts";
import { cubeSandbox } from "./cubesandbox.ts";
import { kubernetesSandbox } from "./kubernetes.ts";
import { E2bServer } from "./testing/e2b-server.ts";
import { KubernetesServer } from "./testing/kubernetes-server.ts";
import { packTrees, unpackTrees } from "./trees.ts";

setDefaultTimeout(30_000);

const data = realpathSync(mkdtempSync(join(tmpdir(), "remote sandboxes ")));
const root = join(data, "workspaces");
const tokenFile = join(data, "token");
writeFileSync(tokenFile, "cluster-token\n");
const cluster = new KubernetesServer("cluster-token");
const service = new E2bServer("service-key");
afterAll(async () => {
  await cluster.close();
  await service.close();
  rmSync(data, { recursive: true, force: true });
});

const kubernetes = (options: Partial<Parameters<typeof kubernetesSandbox>[0]> = {}) =>
  kubernetesSandbox({
    apiServer: cluster.url,
    tokenFile,
    namespace: "tasks",
    image: `registry.example/task@sha256:${"0".repeat(64)}`,
    volumeClaim: "runner-data",
    dataDirectory: data,
    runnerId: "local",
    serviceUser: 10_001,
    temporaryBytes: 64 << 20,
    longestSeconds: 3_600,
    networkPolicy: true,
    ...options,
  });
const cube = (options: Partial<Parameters<typeof cubeSandbox>[0]> = {}) =>
  cubeSandbox({
    url: service.url,
    sandboxUrl: service.url,
    key: () => "service-key",
    template: "base",
    runnerId: "local",
    dataDirectory: data,
    ...options,
  });

// The stand-ins run commands as processes of this host, which hold no limit of memory.
const stand = { limits: false };
const benches = runnerBenches();
afterAll(() => benches.close());

const podProvider = kubernetes();
const cubeProvider = cube();
sandboxConformance("kubernetes", async () => podProvider, root, stand);
sandboxConformance("cubesandbox", async () => cubeProvider, root, stand);

test("a pod has no rights, no root, nothing of the cluster, and its environment is in a secret that goes with it", async () => {
  const provider = kubernetes();
  const request = shellRequest(root, "echo $TOKEN", { environment: { TOKEN: "s3cret-value" } });
  await provider.prepare(request);
  const jobs = [...cluster.objects].filter(([key]) => key.startsWith("jobs/")).map(([, job]) => job);
  expect(jobs).toHaveLength(1);
  expect(JSON.stringify(jobs)).not.toContain("s3cret-value");
  expect(jobs[0]!["spec"]).toMatchObject({
    backoffLimit: 0,
    podReplacementPolicy: "Failed",
    template: {
      metadata: { labels: { "lightflow.dev/network": "deny-all" } },
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 10_001,
          seccompProfile: { type: "RuntimeDefault" },
        },
        containers: [
          {
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
          },
        ],
      },
    },
  });
  // What would open the node to it is not asked for, nor left to a default that opens it.
  const { template, ...job } = jobs[0]!["spec"];
  const { containers, volumes, ...pod } = template.spec;
  for (const open of [
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "serviceAccountName",
    "initContainers",
  ])
    expect(pod).not.toHaveProperty(open);
  expect(pod.enableServiceLinks).toBe(false);
  expect(containers).toHaveLength(1);
  expect(containers[0].securityContext).not.toHaveProperty("privileged");
  expect(containers[0]).not.toHaveProperty("ports");
  // Files: a bounded directory of its own, and below the shared volume its workspace alone.
  expect(volumes).toEqual([
    { name: "temporary", emptyDir: { sizeLimit: String(64 << 20) } },
    { name: "data", persistentVolumeClaim: { claimName: "runner-data" } },
  ]);
  expect(containers[0].volumeMounts).toEqual([
    { name: "temporary", mountPath: "/tmp" },
    {
      name: "data",
      mountPath: request.directory,
      subPath: `workspaces/${request.operationId}`,
    },
  ]);
  // A runner that never comes back leaves nothing for longer than its task could have run.
  expect(job).toMatchObject({ activeDeadlineSeconds: 3_600, ttlSecondsAfterFinished: 3_600 });
  const process = provider.execute(request.operationId);
  expect(await new Response(process.stdout).text()).toBe("s3cret-value\n");
  await provider.cleanup(request.operationId);
  expect([...cluster.objects.keys()]).toEqual([]);
});

test("a Job ends by itself soon after its task would have, and with the memory that its lease allows", async () => {
  const provider = kubernetes();
  const request = shellRequest(root, "true", { longestMs: 60_000, memoryBytes: 64 << 20 });
  await provider.prepare(request);
  const [, job] = [...cluster.objects].find(([key]) => key.startsWith("jobs/"))!;
  expect(job["spec"].activeDeadlineSeconds).toBe(300 + 60 + 60);
  const memory = { memory: String(64 << 20) };
  expect(job["spec"].template.spec.containers[0].resources).toEqual({ limits: memory, requests: memory });
  await provider.cleanup(request.operationId);
});

test("a pod whose runner went away before the start runs nothing", async () => {
  const request = shellRequest(root, "echo ran > trace");
  await kubernetes().prepare(request);
  // Another process of the same runner finds what the first one left, by its label.
  expect(await kubernetes().reconcile()).toBe(1);
  expect([...cluster.objects.keys()]).toEqual([]);
  expect(await Bun.file(join(request.directory, "trace")).exists()).toBe(false);
});

test("orphans of another runner are left alone", async () => {
  const other = kubernetes({ runnerId: "other" });
  const request = shellRequest(root, "true");
  await other.prepare(request);
  expect(await kubernetes().reconcile()).toBe(0);
  expect(cluster.objects.size).toBeGreaterThan(0);
  await other.cleanup(request.operationId);
});

test("two pods for one lease, and a pod that is lost, end as unknown and never run again", async () => {
  const provider = kubernetes();
  const request = shellRequest(root, "touch ran");
  await provider.prepare(request);
  cluster.doublePod();
  const process = provider.execute(request.operationId);
  expect(await process.exited).toMatchObject({
    unknown: expect.stringMatching(/^two pods carry the same lease: \S+, \S+$/),
  });
  await provider.cleanup(request.operationId);
  expect(await Bun.file(join(request.directory, "ran")).exists()).toBe(false);

  const lost = shellRequest(root, "sleep 30");
  await provider.prepare(lost);
  const running = provider.execute(lost.operationId);
  await Bun.sleep(100);
  await cluster.losePods();
  expect(await running.exited).toMatchObject({ exitCode: null, unknown: expect.stringContaining("pod") });
  await provider.cleanup(lost.operationId);
});

test("a watch that begins too late is begun again", async () => {
  cluster.expiredWatches = 2;
  expect(await runToEnd(kubernetes(), shellRequest(root, "sleep 0.1; echo seen"))).toMatchObject({
    stdout: "seen\n",
    exitCode: 0,
  });
  expect(cluster.expiredWatches).toBeLessThan(2);
});

test("an image that is not there fails the start, and nothing stays", async () => {
  cluster.waitingReason = "ErrImagePull";
  const request = shellRequest(root, "true");
  const attempt = kubernetes().prepare(request);
  expect(attempt).rejects.toMatchObject({
    code: "execution_start_failed",
    message: expect.stringContaining("image"),
  });
  await attempt.catch(() => {});
  cluster.waitingReason = null;
  expect([...cluster.objects.keys()]).toEqual([]);
});

test("what a pod or a micro-vm cannot hold is refused", async () => {
  const mount = { source: "/etc", target: "/etc", readOnly: true };
  for (const wish of [
    { network: "allowlisted" },
    { processes: 10 },
    { mounts: [mount] },
    { writable: ["/etc"] },
    { imageRoot: "/somewhere" },
  ] as const)
    for (const provider of [kubernetes(), cube()])
      expect(provider.prepare(shellRequest(root, "true", wish))).rejects.toMatchObject({
        code: "feature_unsupported",
      });
  const closed = kubernetes({ networkPolicy: false }).prepare(shellRequest(root, "true"));
  expect(closed).rejects.toMatchObject({ code: "feature_unsupported" });
});

test("a container's image is the pod's own, by its digest; for a micro-vm the template that stands for it", async () => {
  const image = `registry.example/tool@sha256:${"7".repeat(64)}`;
  const provider = kubernetes();
  const request = shellRequest(root, "true", { image });
  await provider.prepare(request);
  const [, job] = [...cluster.objects].find(([key]) => key.startsWith("jobs/"))!;
  expect(job["spec"].template.spec.containers[0].image).toBe(image);
  await provider.cleanup(request.operationId);
  for (const tagged of ["tool", "registry.example/tool:latest", `tool@sha256:${"7".repeat(63)}`])
    expect(kubernetes().prepare(shellRequest(root, "true", { image: tagged }))).rejects.toMatchObject({
      code: "feature_unsupported",
      hint: expect.stringContaining("allow.images"),
    });

  const machine = cube({ images: { [image]: "tool-template" } });
  const asked = shellRequest(root, "true", { image });
  await machine.prepare(asked);
  expect([...service.boxes.values()].map(({ body }) => body["templateID"])).toEqual(["tool-template"]);
  await machine.cleanup(asked.operationId);
  expect(machine.prepare(shellRequest(root, "true", { image: "another" }))).rejects.toMatchObject({
    code: "feature_unsupported",
    message: "no template stands for the image another",
    hint: expect.stringContaining("cube.images"),
  });
});

test("a cluster is trusted by its own authority alone, and its answer is the reason", async () => {
  const { ca, of } = testCertificates("localhost");
  const { key, cert } = of["localhost"]!;
  const caFile = join(data, "ca.pem");
  writeFileSync(caFile, ca);
  const secured = new KubernetesServer("cluster-token", { key, cert });
  const apiServer = secured.url;
  try {
    const request = shellRequest(root, "echo over tls");
    expect((await runToEnd(kubernetes({ apiServer, caFile }), request)).stdout).toBe("over tls\n");
    expect(kubernetes({ apiServer }).prepare(shellRequest(root, "true"))).rejects.toThrow();
    writeFileSync(tokenFile, "wrong");
    expect(kubernetes({ apiServer, caFile }).prepare(shellRequest(root, "true"))).rejects.toThrow("401");
  } finally {
    writeFileSync(tokenFile, "cluster-token\n");
    await secured.close();
  }
});

test("a micro-vm ends itself, has no network, and what carries a lease twice is unknown", async () => {
  const provider = cube();
  const request = shellRequest(root, "printf '\\377\\000' ; echo done > result");
  await provider.prepare(request);
  const [box] = [...service.boxes.values()];
  expect(box!.body).toMatchObject({
    timeout: 300,
    secure: true,
    allow_internet_access: false,
    templateID: "base",
  });
  expect(JSON.stringify(box!.body)).not.toContain("LIGHTFLOW_WORKSPACE");
  const process = provider.execute(request.operationId);
  // Bytes stay bytes.
  expect(new Uint8Array(await new Response(process.stdout).arrayBuffer())).toEqual(Uint8Array.of(255, 0));
  await process.exited;
  expect(readFileSync(join(request.directory, "result"), "utf8")).toBe("done\n");
  await provider.cleanup(request.operationId);
  expect(service.boxes.size).toBe(0);

  service.makesTwo = true;
  service.pageSize = 1;
  const doubled = provider.prepare(shellRequest(root, "true"));
  expect(doubled).rejects.toMatchObject({ code: "execution_outcome_unknown" });
  await doubled.catch(() => {});
  service.makesTwo = false;
  service.pageSize = 100;
  expect(service.boxes.size).toBe(0);
});

test("a micro-vm that is gone leaves an unknown end; what a dead runner left is removed by its owner alone", async () => {
  const provider = cube();
  const request = shellRequest(root, "sleep 30");
  await provider.prepare(request);
  const process = provider.execute(request.operationId);
  await Bun.sleep(100);
  for (const id of [...service.boxes.keys()]) await service.remove(id);
  expect(await process.exited).toMatchObject({ exitCode: null });
  await provider.cleanup(request.operationId);

  await provider.prepare(shellRequest(root, "true"));
  expect(
    await cubeSandbox({
      url: service.url,
      key: () => "service-key",
      template: "base",
      runnerId: "other",
      dataDirectory: data,
    }).reconcile(),
  ).toBe(0);
  expect(await cube().reconcile()).toBe(1);
  expect(service.boxes.size).toBe(0);
});

test("a task that is asked to end before its micro-vm has named its process is asked once it has", async () => {
  const provider = cube();
  const request = shellRequest(root, "sleep 1000");
  await provider.prepare(request);
  const process = provider.execute(request.operationId);
  provider.terminate(request.operationId);
  expect(await process.exited).toMatchObject({ signal: "SIGTERM" });
  await provider.cleanup(request.operationId);
});

test("a service is the one that the configuration names, whatever the client's own variables say", async () => {
  const lies = {
    E2B_API_URL: "http://127.0.0.1:1",
    E2B_SANDBOX_URL: "http://127.0.0.1:1",
    E2B_API_KEY: "another",
    E2B_DOMAIN: "example.invalid",
    E2B_DEBUG: "true",
  };
  Object.assign(process.env, lies);
  try {
    const request = shellRequest(root, "echo here");
    expect((await runToEnd(cube(), request)).stdout).toBe("here\n");
  } finally {
    for (const name of Object.keys(lies)) delete process.env[name];
  }
});

test("a micro-vm that its task has taken over leads the runner nowhere, and fills no memory", async () => {
  const reached: string[] = [];
  const tenant = Bun.serve({
    port: 0,
    fetch(request) {
      reached.push(request.url);
      return new Response("for the tenant alone");
    },
  });
  let sent = 0;
  const endless = (status: number, first: Uint8Array<ArrayBuffer>) =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(first),
        pull(controller) {
          sent += 1 << 20;
          if (sent > 1 << 30) controller.close();
          else controller.enqueue(new Uint8Array(1 << 20).fill(97));
        },
      }),
      { status, headers: { "content-type": "application/connect+json" } },
    );
  const long = Uint8Array.of(0, 0x3f, 0xff, 0xff, 0xff);
  const wiles = {
    redirect: () => Response.redirect(`${tenant.url.href}metadata`, 307),
    reason: () => endless(500, Uint8Array.of(97)),
    message: () => endless(200, long),
  };
  try {
    for (const [name, answer] of Object.entries(wiles)) {
      const provider = cube();
      const request = shellRequest(root, "true");
      await provider.prepare(request);
      sent = 0;
      service.takenOver = answer;
      const exit = await provider.execute(request.operationId).exited;
      expect([name, exit]).toEqual([
        name,
        { exitCode: null, signal: null, unknown: expect.stringContaining("sandbox") },
      ]);
      expect(sent).toBeLessThan(64 << 20);
      const next = await provider.prepare(shellRequest(root, "true")).catch((error) => error);
      expect(next).toMatchObject({
        code: expect.stringMatching(/^execution_(?:start_failed|outcome_unknown)$/),
      });
      service.takenOver = null;
      await provider.cleanup(request.operationId);
    }
    expect(reached).toEqual([]);
  } finally {
    service.takenOver = null;
    await tenant.stop(true);
  }
});

test("a workspace that comes back cannot lead out of its place", async () => {
  const evil = join(data, "evil");
  const place = join(data, "place");
  const outside = join(data, "outside");
  for (const path of [evil, place, outside]) mkdirSync(path, { recursive: true });
  writeFileSync(join(outside, "kept"), "kept");
  symlinkSync(outside, join(evil, "workspace"));
  const archive = Bun.spawnSync(["/bin/tar", "-cf", "-", "-P", `--transform=s,^${evil},${place},`, evil]);
  const back = () => new Blob([new Uint8Array(archive.stdout)]).stream();
  expect(unpackTrees(back(), [join(place, "workspace")], data, 1 << 20)).rejects.toMatchObject({
    code: "execution_output_invalid",
  });
  expect(unpackTrees(back(), [place], data, 100)).rejects.toMatchObject({ code: "execution_output_invalid" });
  expect(readFileSync(join(outside, "kept"), "utf8")).toBe("kept");
  expect(packTrees([outside], 10)).rejects.toMatchObject({ code: "execution_start_failed" });
});

test("a lease runs in a pod or a micro-vm from its claim to its result, output and files with it", async () => {
  const kinds = {
    kubernetes: {
      sandbox: "kubernetes",
      kubernetes: {
        apiServer: cluster.url,
        tokenFile,
        namespace: "tasks",
        image: `registry.example/task@sha256:${"0".repeat(64)}`,
        volumeClaim: "runner-data",
        networkPolicy: true,
      },
    },
    cubesandbox: {
      sandbox: "cubesandbox",
      secrets: { key: { file: join(data, "key") } },
      cube: {
        url: service.url,
        sandboxUrl: service.url,
        keyReference: "key",
        template: "base",
        images: { [`registry.example/tool@sha256:${"7".repeat(64)}`]: "tool" },
      },
    },
  } as const;
  writeFileSync(join(data, "key"), "service-key\n", { mode: 0o600 });
  for (const [provider, config] of Object.entries(kinds)) {
    const { controller, runner } = benches.start(config);
    const limits = { logBytes: 1e6, outputBytes: 1e4, artifactBytes: 1e6, artifactCount: 10 };
    const lease = controller.shell(`echo log; echo kept > file.txt; echo '{"n":1}' > "$LIGHTFLOW_OUTPUT"`, {
      output: "json",
      limits,
      sandbox: { mode: "per-agent-call" },
      artifacts: [{ path: "*.txt" }],
    });
    const result = await controller.result(lease);
    expect([provider, result.summary, result.status]).toEqual([provider, "exit code 0", "succeeded"]);
    expect(result).toMatchObject({ output: { n: 1 }, sandbox: { provider }, artifactRefs: [{ size: 5 }] });
    expect(controller.log(lease)).toBe("log\n");
    // A container needs no image of this runner: the service has it.
    const image = `registry.example/tool@sha256:${"7".repeat(64)}`;
    const contained = (command?: string) =>
      controller.offer({
        task: {
          type: "run.container",
          image,
          ...(command === undefined ? {} : { command }),
          arguments: ["-c", 'pwd; echo \'{"n":2}\' > "$LIGHTFLOW_OUTPUT"'],
          environment: {},
        },
        output: "json",
        limits,
        sandbox: { mode: "per-agent-call" },
      });
    expect(await controller.result(contained("sh"))).toMatchObject({ status: "succeeded", output: { n: 2 } });
    expect(await controller.result(contained())).toMatchObject({
      status: "failed",
      errorCode: "feature_unsupported",
      summary: expect.stringContaining("name the container's command"),
    });
    // The service loses it: nobody knows the end, and nothing runs again.
    const lost = controller.shell("echo begun; sleep 30", { limits, sandbox: { mode: "per-agent-call" } });
    const written = () => {
      try {
        return controller.log(lost);
      } catch {
        return "not claimed yet";
      }
    };
    while (written() !== "begun\n") await Bun.sleep(10);
    if (provider === "kubernetes") await cluster.losePods();
    else for (const id of [...service.boxes.keys()]) await service.remove(id);
    const unknown = await controller.result(lost);
    expect([provider, unknown.status, unknown.errorCode]).toEqual([
      provider,
      "unknown",
      "execution_outcome_unknown",
    ]);
    await runner.stop();
  }
  expect(cluster.objects.size + service.boxes.size).toBe(0);
});
