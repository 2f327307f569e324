import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { runnerBenches } from "../../test/support/runner.ts";
import type { UnsignedLease } from "../protocol/index.ts";
import type { RunnerConfig } from "./config.ts";

setDefaultTimeout(30_000);

const benches = runnerBenches();
afterEach(() => benches.close());

/** What a lease demands, and a configuration that would rather give less: the task must not run. */
const WEAKER: [what: string, config: Partial<RunnerConfig>, lease: Partial<UnsignedLease>, why: string][] = [
  [
    "a sandbox of its own",
    { sandbox: "process" },
    { sandbox: { mode: "per-agent-call" } },
    "no sandbox for mode per-agent-call",
  ],
  [
    "a sandbox for publishing",
    { sandbox: "process" },
    { sandbox: { mode: "per-publish" } },
    "no sandbox for mode per-publish",
  ],
  [
    "a session's sandbox",
    { sandbox: "process" },
    { sandbox: { mode: "workflow-session" } },
    "no sandbox for mode workflow-session",
  ],
  [
    "a boundary",
    { sandbox: "process" },
    { sandbox: { mode: "none", boundary: "user-namespace" } },
    "behind user-namespace",
  ],
  [
    "a stronger boundary than the strongest here",
    {},
    { sandbox: { mode: "none", boundary: "micro-vm" } },
    "behind micro-vm",
  ],
  [
    "one provider",
    { sandbox: "process" },
    { sandbox: { mode: "none", providers: ["bubblewrap"] } },
    "by bubblewrap",
  ],
  [
    "a list of hosts",
    { sandbox: "process" },
    { network: "allowlisted", networkHosts: { allow: ["example.com"], deny: [] } },
    "allow-list",
  ],
];
for (const [what, config, lease, why] of WEAKER) {
  test(`RN-50: a lease that demands ${what} does not run where the configuration gives less`, async () => {
    const { controller } = benches.start(config);
    const id = controller.shell("echo ran", lease);
    await controller.until(() => {
      const record = controller.records.get(id);
      return record?.state === "rejected" || (record?.results.length ?? 0) > 0;
    });
    const { rejected, results, chunks } = controller.record(id);
    expect(rejected ?? results[0]?.summary).toContain(why);
    expect(results.map(({ status }) => status)).not.toContain("succeeded");
    expect(Buffer.concat(chunks.stdout).toString()).toBe("");
  });
}

test("RN-50: a configuration adds nothing to a lease: no mount, no network, no time, no room for output", async () => {
  const { controller, directory } = benches.start({
    mounts: ["/"],
    taskMemoryBytes: 2 ** 40,
    taskProcesses: 4_194_304,
  });
  const sandbox = { mode: "per-agent-call" } as const;
  const lease = controller.shell(
    `ls '${directory}' /root /home /srv 2>&1; ls /sys/class/net 2>/dev/null; cat /proc/net/dev | grep -v lo: | tail -n +3`,
    { sandbox },
  );
  expect(await controller.result(lease)).toMatchObject({
    sandbox: { provider: "bubblewrap", boundary: "user-namespace", mode: "per-agent-call" },
  });
  const seen = controller.log(lease).split("\n");
  expect(seen.filter((line) => line !== "" && !line.includes("No such file"))).toEqual([
    `${directory}:`,
    "data",
  ]);
  const long = controller.shell("sleep 30", { sandbox, deadlineMs: 200 });
  expect(await controller.result(long)).toMatchObject({ status: "timed_out" });
});

test("RN-46: a task gets its own workspace, and nothing of another's", async () => {
  const { controller, data } = benches.start();
  const sandbox = { mode: "per-agent-call" } as const;
  const waiting = controller.shell("echo theirs > secret; until test -e done; do sleep 0.05; done", {
    sandbox,
  });
  await controller.until(() => controller.records.get(waiting)?.state === "started");
  const look = controller.shell(
    `find '${data}' -type f 2>/dev/null | grep -c secret; ls '${data}/workspaces' | wc -l; ls /proc | grep -c '^[0-9]*$'; env | grep -c TOKEN`,
    { sandbox },
  );
  await controller.result(look);
  const [secrets, workspaces, processes, tokens] = controller.log(look).split("\n").map(Number);
  expect([secrets, workspaces, tokens]).toEqual([0, 1, 0]);
  expect(processes).toBeLessThan(8);
  controller.cancel(waiting);
  expect((await controller.result(waiting)).status).toBe("cancelled");
});
