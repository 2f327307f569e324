import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
import { runToEnd, sandboxConformance, shellRequest } from "./conformance.ts";
import { type OciProbe, openProvenCgroups, type ProbeResult, probeOci, probeSandboxes } from "./index.ts";
import { memoryDirectory } from "./oci/memory-directory.ts";

setDefaultTimeout(30_000);

const data = realpathSync(mkdtempSync(join(tmpdir(), "sandboxes ")));
let probe: ProbeResult;
let isolated = false;
let containers: OciProbe;
let contained = false;

beforeAll(async () => {
  probe = await probeSandboxes({ dataDirectory: data, readOnlyPaths: [], temporaryBytes: 64 << 20 });
  containers = await probeOci(
    { dataDirectory: join(data, "oci data"), readOnlyPaths: [], temporaryBytes: 64 << 20 },
    await openProvenCgroups(join(data, "oci data")),
  );
  contained = prerequisite("oci", containers.oci !== null, containers.remedy ?? "");
  isolated = prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "");
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const root = join(data, "workspaces");
sandboxConformance("process", async () => probe.process, root);
sandboxConformance("bubblewrap", async () => (isolated ? probe.bubblewrap : null), root);
sandboxConformance("oci", async () => (contained ? containers.oci : null), root);

test("what an operator opens below /etc is seen there, and what is not there holds nobody up", async () => {
  if (!isolated) return;
  const readOnlyPaths = ["/etc/default", "/etc/debian_version", "/etc/there-is-none"];
  const options = { dataDirectory: join(data, "opened"), readOnlyPaths, temporaryBytes: 4 << 20 };
  const limits = await openProvenCgroups(options.dataDirectory);
  const look =
    'for path in "$@"; do [ ! -e "$path" ] || ls -A "$path"; done; touch /etc/default/x 2>/dev/null || echo closed';
  const seen = readOnlyPaths.flatMap((path) => {
    if (!existsSync(path)) return [];
    return statSync(path).isDirectory() ? readdirSync(path) : [path];
  });
  expect(seen.length).toBeGreaterThan(0);
  const probed = await probeSandboxes(options, Promise.resolve(limits));
  expect(probed.remedy).toBeNull();
  const opened = [probed.bubblewrap];
  if (contained) {
    const container = await probeOci(options, limits);
    expect(container.remedy).toBeNull();
    opened.push(container.oci);
  }
  for (const provider of opened) {
    const request = shellRequest(join(options.dataDirectory, "workspaces"), look);
    const { stdout } = await runToEnd(provider!, {
      ...request,
      arguments: [...request.arguments, "sh", ...readOnlyPaths],
    });
    expect(stdout.trim().split("\n").sort()).toEqual([...seen, "closed"].sort());
  }
});

test("a task's session yields to the runner's, where the kernel weighs sessions", async () => {
  // The task has begun when its session is told.
  const script = `
    group=/proc/self/autogroup
    tries=0
    while [ $tries -lt 200 ] && [ -e $group ] && ! grep -q 'nice 10' $group; do tries=$((tries+1)); sleep 0.05; done
    ! test -e $group || sed 's/.* //' $group`;
  const own = existsSync("/proc/self/autogroup") ? "10\n" : "";
  for (const provider of [probe.process, probe.bubblewrap]) {
    if (provider !== null) expect((await runToEnd(provider, shellRequest(root, script))).stdout).toBe(own);
  }
});

test("what a container's configuration holds of its task's environment is in memory alone, for its user alone, and goes with it", async () => {
  const { oci } = containers;
  if (!contained || oci === null) return;
  const secret = "a-secret-of-a-container-8d1f";
  const own = join(data, "oci data");
  const holding = (place: string) => {
    const { stdout } = Bun.spawnSync(["grep", "-rlF", secret, place]);
    return stdout.toString().trim().split("\n").filter(Boolean);
  };
  const request = shellRequest(root, "echo up; sleep 30", { environment: { SECRET: secret } });
  await oci.prepare(request);
  const process = oci.execute(request.operationId);
  await process.stdout.getReader().read();
  const found = holding("/dev/shm");
  expect(found.length).toBeGreaterThan(0);
  for (const path of found) expect(statSync(path.split("/").slice(0, 4).join("/")).mode & 0o777).toBe(0o700);
  expect([...holding(own), ...holding(root)]).toEqual([]);
  await oci.kill(request.operationId);
  await oci.cleanup(request.operationId);
  expect(holding("/dev/shm")).toEqual([]);
  expect(existsSync(memoryDirectory(own))).toBe(false);
});
