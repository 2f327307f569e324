import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
import { runToEnd, sandboxConformance, shellRequest } from "./conformance.ts";
import { type OciProbe, openProvenCgroups, type ProbeResult, probeOci, probeSandboxes } from "./index.ts";

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
