import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
import { sandboxConformance } from "./conformance.ts";
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
