import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeep, prerequisite } from "../../test/support/require.ts";
import { runnerBenches } from "../../test/support/runner.ts";
import { newId } from "../base/ids.ts";
import type { UnsignedLease } from "../protocol/index.ts";
import { copyMethods } from "./files/copy-methods.ts";

setDefaultTimeout(30_000);

const benches = runnerBenches();
afterEach(() => benches.close());

const { overlay, overlayDetail } = await copyMethods(tmpdir());
const isLayered = prerequisite("userns", overlay, overlayDetail);

type Copy = Pick<UnsignedLease["workspace"], "copyOf" | "commitTo">;

/** A run of its own, with a session and tasks that work on copies. */
function runOf(bench: ReturnType<typeof benches.start>) {
  const key = newId();
  const wfInstanceId = newId();
  const { controller } = bench;
  // A disk that others keep busy takes its time.
  const end = async (leaseId: string) => ({ leaseId, ...(await controller.result(leaseId, 25_000)) });
  return {
    key,
    wfInstanceId,
    session: (script: string) =>
      end(controller.shell(script, { wfInstanceId, workspace: { mode: "session", key } })),
    copy: (script: string, copy: Copy = {}, more: Partial<UnsignedLease> = {}) =>
      end(
        controller.shell(script, {
          wfInstanceId,
          workspace: { mode: "ephemeral", key: newId(), copyOf: { session: key }, ...copy },
          ...more,
        }),
      ),
  };
}

const MAKE = `mkdir d .h; echo one > a; echo two > d/b; echo three > .h/c; ln -s a link; mkfifo pipe
  touch "$(printf 'odd\\nname')" .wh.a 'a,b:c\\d'; chmod 500 d`;

for (const sandbox of ["bubblewrap", "process"] as const) {
  describe(`a copy of the session's workspace (${sandbox})`, () => {
    test("is what the session has, and what is done to it is discarded", async () => {
      const bench = benches.start({ sandbox });
      const run = runOf(bench);
      await run.session(MAKE);
      const script =
        "cat a d/b .h/c link; test -p pipe && ls -A | wc -l; rm -r a; chmod 700 d; rm d/b; echo 1 > new; echo x >> .h/c; ls";
      const copied = await run.copy(script);
      expect(copied).toMatchObject({ status: "succeeded", changedFiles: [".h/c", "a", "d/b", "new"] });
      expect(bench.controller.log(copied.leaseId)).toStartWith("one\ntwo\nthree\none\n9\n");
      const methods = await copyMethods(bench.data);
      expect(copied.workspace).toEqual({
        copied:
          sandbox === "bubblewrap" && methods.overlay ? "overlay" : methods.reflink ? "reflink" : "copy",
      });
      const after = await run.session("cat a d/b .h/c; ls -A | wc -l");
      expect(bench.controller.log(after.leaseId)).toBe("one\ntwo\nthree\n9\n");
      await bench.runner.stop();
      expect(readdirSync(join(bench.data, "workspaces"))).toEqual([run.key]);
      expect(readdirSync(join(bench.data, "leases"))).toEqual([]);
    });

    test("is taken over when the task says so and succeeds", async () => {
      const bench = benches.start({ sandbox });
      const run = runOf(bench);
      await run.session("mkdir -p d/e; echo 1 > a; echo 2 > d/b; echo 3 > d/e/c");
      const failed = await run.copy("rm -r d; exit 3", { commitTo: run.key });
      expect(failed.workspace?.committed).toBeUndefined();
      const taken = await run.copy(
        "rm -r d/e; echo 4 > d/b; mkdir n; echo 5 > n/f; rm a; mkdir a; echo 6 > a/a",
        {
          commitTo: run.key,
        },
      );
      expect(taken).toMatchObject({ status: "succeeded", workspace: { committed: true } });
      const after = await run.session("find . -type f | sort | xargs grep -H ''");
      expect(bench.controller.log(after.leaseId)).toBe("./a/a:6\n./d/b:4\n./n/f:5\n");
    });

    test("of a directory of the host changes nothing there, and can become the session's", async () => {
      const bench = benches.start({ sandbox });
      const run = runOf(bench);
      const host = join(bench.directory, "a repo, with: odd\\name");
      mkdirSync(join(host, ".git"), { recursive: true });
      writeFileSync(join(host, ".git/HEAD"), "ref: refs/heads/main\n");
      writeFileSync(join(host, "file"), "theirs\n");
      const taken = await run.copy("cat file .git/HEAD; echo mine > file; rm -r .git; echo 1 > new", {
        copyOf: { path: host },
        commitTo: run.key,
      });
      expect(taken).toMatchObject({ status: "succeeded", workspace: { committed: true } });
      expect(readdirSync(host).sort()).toEqual([".git", "file"]);
      expect(readFileSync(join(host, "file"), "utf8")).toBe("theirs\n");
      const after = await run.session("cat file new; ls -A");
      expect(bench.controller.log(after.leaseId)).toBe("mine\n1\nfile\nnew\n");
    });

    test("starts in a folder of it, but not through a link", async () => {
      const bench = benches.start({ sandbox });
      const run = runOf(bench);
      await run.session("mkdir -p d/e; ln -s / out; ln -s d inner");
      const offer = async (directory: string) => {
        const leaseId = bench.controller.offer({
          wfInstanceId: run.wfInstanceId,
          workspace: { mode: "ephemeral", key: newId(), copyOf: { session: run.key } },
          task: { type: "run.shell", command: "pwd", arguments: [], environment: {}, directory },
        });
        return { leaseId, ...(await bench.controller.result(leaseId)) };
      };
      const good = await offer("d/e");
      expect(bench.controller.log(good.leaseId)).toEndWith("/work/d/e\n");
      for (const directory of ["out", "out/etc", "inner/e"])
        expect(await offer(directory)).toMatchObject({ errorCode: "execution_policy_denied" });
      expect(await offer("missing")).toMatchObject({ errorCode: "execution_start_failed" });
    });
  });
}

describe("what a copy is refused for", () => {
  test("a session that is gone, another run's, or another policy's", async () => {
    const bench = benches.start();
    const run = runOf(bench);
    expect(await run.copy("true")).toMatchObject({ errorCode: "execution_session_lost" });
    await run.session("echo 1 > a");
    const denied = { status: "failed", errorCode: "execution_policy_denied" };
    expect(await run.copy("cat a", {}, { wfInstanceId: newId() })).toMatchObject(denied);
    expect(await run.copy("cat a", {}, { policyDigest: `sha256:${"b".repeat(64)}` })).toMatchObject(denied);
    expect(
      await run.copy("cat a", {}, { executionProfile: "default", executionProfileVersion: 7 }),
    ).toMatchObject(denied);
    expect(await run.copy("cat a")).toMatchObject({ status: "succeeded" });
    // A session that lost its directory behind the runner's back is lost.
    rmSync(join(bench.data, "workspaces", run.key), { recursive: true });
    expect(await run.copy("cat a")).toMatchObject({ errorCode: "execution_session_lost" });
  });

  test("a directory that is none of the runner's, a link to one, a file, and a path with dots", async () => {
    const bench = benches.start({ mounts: ["/usr/share"] });
    const run = runOf(bench);
    const link = join(bench.directory, "link");
    symlinkSync("/etc", link);
    for (const path of [
      link,
      "/etc",
      "/usr/share/../../etc",
      "/proc",
      join(bench.data, "leases"),
      "relative",
    ])
      expect([path, await run.copy("ls", { copyOf: { path } })]).toMatchObject([
        path,
        { status: "failed", retrySafety: "safe", errorCode: expect.stringMatching(/denied|not_found/) },
      ]);
    expect(await run.copy("ls", { copyOf: { path: "/usr/share/none" } })).toMatchObject({
      errorCode: "not_found",
    });
    await bench.runner.stop();
    expect(readdirSync(join(bench.data, "leases"))).toEqual([]);
  });

  test("a directory that holds the runner's own, and a workspace that its task made a link", async () => {
    const bench = benches.start({ sandbox: "process" });
    const run = runOf(bench);
    const denied = { status: "failed", errorCode: "execution_policy_denied" };
    expect(await run.copy("ls", { copyOf: { path: bench.directory } })).toMatchObject(denied);
    await run.session("echo 1 > a");
    const linked = await run.copy(
      `chmod 755 '${bench.directory}'; rm -r ../work; ln -s '${bench.directory}' ../work`,
      {
        commitTo: run.key,
      },
    );
    expect(linked).toMatchObject({ status: "failed", errorCode: "execution_commit_failed" });
    expect(statSync(bench.directory).mode & 0o777).toBe(0o755);
    expect(bench.controller.log((await run.session("cat a")).leaseId)).toBe("1\n");
  });

  test("a workspace that would be a copy of itself, or of nothing", async () => {
    const bench = benches.start();
    const { controller } = bench;
    const key = newId();
    for (const workspace of [
      { mode: "session", key, copyOf: { session: key } },
      { mode: "ephemeral", key, copyOf: { session: key } },
      { mode: "ephemeral", key, commitTo: newId() },
      { mode: "ephemeral", key, copyOf: { session: newId() }, commitTo: newId() },
    ] as const)
      expect(await controller.result(controller.shell("true", { workspace }))).toMatchObject({
        errorCode: "execution_policy_denied",
      });
  });
});

describe("a layer", () => {
  test.skipIf(!isLayered)(
    "whose holder is killed fails the task, and its session keeps what it had",
    async () => {
      const bench = benches.start({ sandbox: "bubblewrap" });
      const run = runOf(bench);
      await run.session("echo 1 > a");
      const mounts = [{ source: bench.directory, target: bench.directory, readOnly: false }];
      const script = `touch '${bench.directory}/ready'; until test -e '${bench.directory}/go'; do sleep 0.02; done; echo 2 > a`;
      const ending = run.copy(script, { commitTo: run.key }, { mounts });
      await bench.controller.until(() => existsSync(join(bench.directory, "ready")));
      for (const pid of holders(bench.data)) process.kill(pid, "SIGKILL");
      writeFileSync(join(bench.directory, "go"), "");
      expect(await ending).toMatchObject({ status: "failed", errorCode: "execution_output_invalid" });
      expect(bench.controller.log((await run.session("cat a")).leaseId)).toBe("1\n");
    },
  );
});

/** The processes that hold a layer below this directory. */
const holders = (data: string): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
        return line.startsWith("/bin/sh\0-c\0exec 3<") && line.includes(data);
      } catch {
        return false;
      }
    })
    .map(Number);

describe("several at once", () => {
  test("copies of one session run together, and its writer alone", async () => {
    const bench = benches.start();
    const run = runOf(bench);
    await run.session("echo 1 > a");
    // Each waits for the other, by a file of the host.
    const meet = (mine: string, other: string) =>
      `touch '${bench.directory}/${mine}'; until test -e '${bench.directory}/${other}'; do sleep 0.01; done`;
    const mounts = [{ source: bench.directory, target: bench.directory, readOnly: false }];
    const both = await Promise.all([
      run.copy(meet("x", "y"), {}, { mounts }),
      run.copy(meet("y", "x"), {}, { mounts }),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
    const add = "n=$(cat a); sleep 0.05; echo $((n + 1)) > a";
    await Promise.all([1, 2, 3].map(() => run.copy(add, { commitTo: run.key })));
    const after = await run.session("cat a");
    expect(bench.controller.log(after.leaseId)).toBe("4\n");
  });

  const MANY = isDeep ? 10_000 : 2_000;
  test(`a workspace of ${MANY} files is copied while the runner goes on`, async () => {
    const bench = benches.start({ sandbox: "process" });
    const run = runOf(bench);
    const host = join(bench.directory, "host");
    mkdirSync(host);
    for (let at = 0; at < MANY; at++) writeFileSync(join(host, String(at)), "");
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    const copied = await run.copy("ls | wc -l; rm 1", { copyOf: { path: host } });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
    expect(copied.changedFiles).toEqual(["1"]);
    expect(bench.controller.log(copied.leaseId)).toBe(`${MANY}\n`);
    expect(readdirSync(host).length).toBe(MANY);
  });
});
