import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { status, umount } from "../../cortexfs/commands.ts";
import { mountByHelper, unmountByHelper } from "../../cortexfs/fuse/fusermount.ts";
import { fuseMountAt } from "../../cortexfs/fuse/mountinfo.ts";
import { commit, outcome } from "./contract.ts";
import { startProviderServer } from "./provider-server.ts";
import { notRun, read, refusal, Served, shell, until } from "./support.ts";

const skip = notRun() !== undefined;
const body = (text: string, extra = {}) =>
  JSON.stringify({ messages: [{ role: "user", content: text }], ...extra });

describe.skipIf(skip)("the mount", () => {
  let served: Served;
  let server: ReturnType<typeof startProviderServer>;
  let inbox: string;
  let outbox: string;
  let cache: string;

  beforeAll(async () => {
    server = startProviderServer();
    served = await Served.start("mount", { allowOther: true });
    inbox = join(served.home, "api/openai.chat/inbox");
    outbox = join(served.home, "api/openai.chat/outbox");
    cache = join(served.home, "cache");
  });
  afterAll(async () => {
    await served.stop();
    server.stop();
  });

  const channel = (id: string): void => {
    const root = join(served.root, "chan", id);
    if (!existsSync(root)) mkdirSync(root);
    writeFileSync(join(root, "url"), server.url);
    writeFileSync(join(root, "mod"), "stub-model");
    writeFileSync(join(root, "enabled"), "1");
  };
  const drop = (id: string): void => {
    shell(join(served.root, "chan"), `rmdir ${id}`);
  };

  test("ordinary programs behave in the ordinary directories", () => {
    const script = `set -e
      mkdir -p a/b; echo one > a/one; cp -r /etc/hostname a/b/; cat a/one; echo two >> a/one; wc -l < a/one
      mv a/one a/b/two; ln -s b/two a/link; cat a/link; sed -i s/one/uno/ a/b/two; head -1 a/b/two
      tar cf t.tar a; tar tf t.tar | wc -l; find . -type f | sort; touch -d 2001-02-03 a/b/two; stat -c %y a/b/two | cut -d' ' -f1
      chmod 600 a/b/two; stat -c %a a/b/two; dd if=/dev/zero of=big bs=64k count=16 2>/dev/null; stat -c %s big; truncate -s 5 big; stat -c %s big
      rm -r a t.tar big; ls -A`;
    expect(shell(cache, script)).toEqual({
      code: 0,
      out: "one\n2\none\ntwo\nuno\n5\n./a/b/hostname\n./a/b/two\n./t.tar\n2001-02-03\n600\n1048576\n5\n",
    });
  });

  test("POSIX refusals carry their numbers", () => {
    const path = (name: string): string => join(cache, name);
    mkdirSync(path("d"));
    writeFileSync(path("d/f"), "x");
    expect(refusal(() => rmSync(path("none")))).toBe("ENOENT");
    expect(refusal(() => mkdirSync(path("d")))).toBe("EEXIST");
    expect(shell(cache, "rmdir d").out).toContain("not empty");
    expect(refusal(() => writeFileSync(path("d"), ""))).toBe("EISDIR");
    expect(refusal(() => readdirSync(path("d/f")))).toBe("ENOTDIR");
    expect(refusal(() => writeFileSync(path("n".repeat(300)), ""))).toBe("ENAMETOOLONG");
    expect(shell(cache, "touch \"$(printf 'bad\\377')\"").out).toContain("Invalid argument");
    expect(shell(cache, "ln d/f hard").out).toContain("not permitted");
    expect(refusal(() => renameSync(path("d/f"), join(inbox, "x.tmp")))).toBe("EXDEV");
    expect(refusal(() => writeFileSync(join(served.root, "status"), "x"))).toBe("EROFS");
    expect(refusal(() => mkdirSync(join(served.root, "new")))).toBe("EROFS");
    expect(refusal(() => readFileSync(join(served.root, "control/drain")))).toBe("EACCES");
    symlinkSync("d", path("l"));
    rmSync(path("l"));
    rmSync(path("d"), { recursive: true });
  });

  test("a removed file that is still open reads on, and its name is free", () => {
    const fd = openSync(join(cache, "open"), "w+");
    writeSync(fd, "still here");
    rmSync(join(cache, "open"));
    expect(existsSync(join(cache, "open"))).toBe(false);
    expect(readFileSync(`/proc/self/fd/${fd}`, "utf8")).toBe("still here");
    closeSync(fd);
  });

  test("writes at odd offsets leave zeros between, and growing again shows no old bytes", () => {
    const fd = openSync(join(cache, "holes"), "w+");
    writeSync(fd, "end", 5000);
    writeSync(fd, "mid", 7);
    ftruncateSync(fd, 9);
    ftruncateSync(fd, 12);
    closeSync(fd);
    expect(readFileSync(join(cache, "holes"))).toEqual(Buffer.from("\0\0\0\0\0\0\0mi\0\0\0"));
    rmSync(join(cache, "holes"));
  });

  test("every refusal of a commit has its number, and the staged file stays", async () => {
    const stage = (name: string, text: string | Uint8Array): string => {
      writeFileSync(join(inbox, name), text);
      return join(inbox, name);
    };
    const to = (name: string): string => join(inbox, name);
    const bad = stage("bad.tmp", "{not json");
    expect(refusal(() => renameSync(bad, to("bad.req.json")))).toBe("EINVAL");
    expect(read(bad)).toBe("{not json");
    for (const text of ['{"a":1,"a":2}', "[]", "", "\u0000", new Uint8Array([0x22, 0xff, 0x22])]) {
      expect(refusal(() => renameSync(stage("bad.tmp", text), to("bad.req.json")))).toBe("EINVAL");
    }
    expect(refusal(() => renameSync(bad, to("bad.json")))).toBe("EINVAL");
    expect(refusal(() => renameSync(bad, join(outbox, "bad.req.json")))).toBe("EXDEV");
    expect(refusal(() => renameSync(bad, join(served.home, "api/openai.responses/inbox/bad.req.json")))).toBe(
      "EXDEV",
    );
    expect(refusal(() => renameSync(to("none.tmp"), to("none.req.json")))).toBe("ENOENT");
    expect(refusal(() => writeFileSync(to("x.resp.json"), ""))).toBe("EINVAL");
    expect(refusal(() => writeFileSync(join(outbox, "x"), ""))).toBe("EROFS");
    expect(refusal(() => mkdirSync(join(served.home, "api/no.such/inbox"), { recursive: true }))).toBe(
      "EROFS",
    );
    expect(refusal(() => renameSync(stage("u.tmp", body("x", { model: "no-such" })), to("u.req.json")))).toBe(
      "EACCES",
    );
    rmSync(to("u.tmp"));
    rmSync(bad);
    commit(inbox, "done", body("fine"));
    await outcome(outbox, "done");
    expect(refusal(() => writeFileSync(to("done.req.json"), "changed"))).toBe("EROFS");
    expect(refusal(() => renameSync(to("done.req.json"), to("other.req.json")))).toBe("EROFS");
  });

  test("a file of a gigabyte does not fit into an inbox", () => {
    const fd = openSync(join(inbox, "huge.tmp"), "w");
    const piece = Buffer.alloc(1 << 20);
    const write = (): void => {
      for (let i = 0; i < 1024; i++) writeSync(fd, piece, 0, piece.length, i << 20);
    };
    expect(refusal(write)).toBe("EFBIG");
    closeSync(fd);
    rmSync(join(inbox, "huge.tmp"));
  });

  test("a second commit while the first runs is EAGAIN", async () => {
    let release = (): void => {};
    server.state.behaviour = {
      hold: new Promise<void>((resolve) => {
        release = resolve;
      }),
    };
    channel("slow");
    commit(inbox, "twice", body("x"));
    writeFileSync(join(inbox, "twice.tmp"), body("y"));
    expect(refusal(() => renameSync(join(inbox, "twice.tmp"), join(inbox, "twice.req.json")))).toBe("EAGAIN");
    release();
    expect((await outcome(outbox, "twice")).ok).toBe(true);
    rmSync(join(inbox, "twice.tmp"));
    drop("slow");
  });

  test("a wait file blocks its reader alone, and an interrupt ends the wait", async () => {
    let release = (): void => {};
    server.state.behaviour = {
      hold: new Promise<void>((resolve) => {
        release = resolve;
      }),
    };
    channel("slow");
    commit(inbox, "waited", body("patience"));
    const waiting = Bun.spawn(["cat", join(outbox, "waited.wait")], { stdout: "pipe" });
    const killed = Bun.spawn(["cat", join(outbox, "waited.wait")], { stdout: "pipe" });
    await Bun.sleep(50);
    for (let i = 0; i < 1000; i++) statSync(join(served.root, "status"));
    expect(waiting.exitCode).toBeNull();
    killed.kill("SIGINT");
    await killed.exited;
    expect(killed.signalCode).toBe("SIGINT");
    release();
    expect(await new Response(waiting.stdout).text()).toContain("echo: patience");
    drop("slow");
  });

  test("tail -f follows a stream while it grows", async () => {
    server.state.behaviour = { text: "word ".repeat(60) };
    channel("talk");
    commit(inbox, "tailed", body("go", { stream: true }));
    const tail = Bun.spawn(["tail", "-n", "+1", "-s", "0.02", "-f", join(outbox, "tailed.stream.jsonl")], {
      stdout: "pipe",
    });
    const reader = tail.stdout.getReader();
    let text = "";
    while (!text.includes('{"type":"end"}'))
      text += Buffer.from((await reader.read()).value ?? []).toString();
    tail.kill();
    const said = text
      .trim()
      .split("\n")
      .map((row) => JSON.parse(row))
      .filter((row) => row.type === "text");
    expect(said.map((row) => row.text).join("")).toBe("word ".repeat(60));
    drop("talk");
  });

  test("requests beyond a provider's limit wait their turn", async () => {
    let release = (): void => {};
    server.state.behaviour = {
      hold: new Promise<void>((resolve) => {
        release = resolve;
      }),
    };
    server.seen.length = 0;
    channel("narrow");
    writeFileSync(join(served.root, "chan/narrow/limit"), "2");
    for (let i = 0; i < 5; i++) commit(inbox, `queue-${i}`, body(`q${i}`));
    await until(() => server.seen.length === 2);
    await Bun.sleep(50);
    expect(server.seen.length).toBe(2);
    expect(read(join(served.root, "control/queue_depth"))).toBe("5\n");
    release();
    for (let i = 0; i < 5; i++) expect((await outcome(outbox, `queue-${i}`)).text).toContain(`echo: q${i}`);
    drop("narrow");
  });

  test("ten thousand open handles harm nobody and are given back", () => {
    writeFileSync(join(cache, "many"), "x");
    const result = shell(
      cache,
      `python3 - <<'END'
import os, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
count = min(10000, hard - 100)
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 50, hard))
handles = [os.open("many", os.O_RDONLY) for _ in range(count)]
print(os.read(handles[-1], 1))
END`,
    );
    expect(result).toEqual({ code: 0, out: "b'x'\n" });
    expect(read(join(served.root, "status"))).toBe("ready\n");
    rmSync(join(cache, "many"));
  });

  test.skipIf(process.getuid?.() !== 0)("another user has a home of its own and sees no other", () => {
    const as = (script: string) =>
      shell("/", `setpriv --reuid=4242 --regid=4242 --clear-groups sh -c '${script}'`);
    // The test's own directory is closed to others.
    shell("/", `chmod 755 ${served.base}`);
    expect(as(`ls ${served.root}/home`).out).toBe("4242\n");
    expect(as(`ls ${served.home}`).out).toContain("Permission denied");
    expect(as(`cat ${served.root}/audit/events.jsonl`).out).toContain("Permission denied");
    expect(as(`echo 1 > ${served.root}/chan/x`).code).not.toBe(0);
    expect(as(`mkdir ${served.root}/chan/x`).out).toContain("Permission denied");
    expect(as(`echo demo > ${served.root}/home/4242/policy/allowed_providers`).code).not.toBe(0);
    const own = `${served.root}/home/4242/api/openai.chat`;
    const text = JSON.stringify({ messages: [{ role: "user", content: "mine" }] }).replaceAll('"', '\\"');
    const asked = as(
      `cd ${own} && echo "${text}" > inbox/m.tmp && mv inbox/m.tmp inbox/m.req.json && cat outbox/m.wait`,
    );
    expect(asked.out).toContain("You said: mine");
    expect(statSync(`${own}/outbox/m.resp.json`).uid).toBe(4242);
    const rows = read(join(served.root, "audit/events.jsonl"))
      .trim()
      .split("\n")
      .map((row) => JSON.parse(row));
    expect(rows.filter((row) => row.host_uid === 4242).map((row) => row.event)).toEqual([
      "staged",
      "queued",
      "drained",
    ]);
    expect(as(`cat ${served.root}/home/4242/audit/events.jsonl`).out.trim().split("\n").length).toBe(3);
    // A shared inbox shows each user what is its own.
    const tool = `${served.root}/tool/filesystem.read/invoke/inbox`;
    expect(as(`echo "{}" > ${tool}/t.tmp; ls ${tool}`).out).toBe("t.tmp\n");
    expect(readdirSync(tool)).toEqual([]);
    expect(as(`rm ${tool}/t.tmp`).code).toBe(0);
  });

  test("policy that names other providers refuses, and says why", () => {
    writeFileSync(join(served.home, "policy/allowed_providers"), "none-of-them\n");
    expect(read(join(served.home, "route/openai.chat/reason"))).toBe("policy_denied\n");
    writeFileSync(join(inbox, "p.tmp"), body("x"));
    expect(refusal(() => renameSync(join(inbox, "p.tmp"), join(inbox, "p.req.json")))).toBe("EACCES");
    expect(read(join(served.home, "audit/events.jsonl"))).toContain('"decision":"policy_denied"');
    writeFileSync(join(served.home, "policy/allowed_providers"), "*\n");
    rmSync(join(inbox, "p.tmp"));
  });

  test("status tells of the mount, and a crashed one is replaced", async () => {
    expect(await status({ at: served.root })).toMatchObject({
      state: "alive",
      status: "ready",
      source: "cortexfs",
    });
    const held = openSync(join(served.root, "status"), "r");
    await served.kill();
    expect(await status({ at: served.root })).toMatchObject({ state: "dead" });
    await served.restart();
    expect(await status({ at: served.root })).toMatchObject({ state: "alive", status: "ready" });
    closeSync(held);
  });

  test("a second daemon on the same state is refused", () => {
    const main = join(import.meta.dir, "../../cortexfs/main.ts");
    const other = join(served.base, "other");
    const result = Bun.spawnSync([
      process.execPath,
      main,
      "mount",
      "--at",
      other,
      "--state",
      join(served.base, "state"),
    ]);
    expect([result.exitCode, JSON.parse(result.stderr.toString()).code]).toEqual([1, "store_busy"]);
    expect(refusal(() => readdirSync(other))).toBeUndefined();
    expect(existsSync(join(other, "status"))).toBe(false);
  });

  test.skipIf(Bun.which("fusermount3") === null)(
    "fusermount3 mounts and passes the descriptor back",
    async () => {
      const at = join(served.base, "helped");
      mkdirSync(at);
      const descriptor = await mountByHelper(at, false);
      expect(fuseMountAt(at)).toMatchObject({ source: "cortexfs", type: "fuse.cortexfs" });
      expect(unmountByHelper(at, false)).toBe("unmounted");
      expect(fuseMountAt(at)).toBeUndefined();
      closeSync(descriptor);
    },
  );

  test("SIGTERM unmounts and ends with 0, also while somebody uses the mount", async () => {
    const held = openSync(join(served.root, "status"), "r");
    expect(await served.end()).toBe(0);
    expect(await status({ at: served.root })).toMatchObject({ state: "none" });
    closeSync(held);
    await served.restart();
    expect(await umount({ at: served.root })).toMatchObject({ how: "unmounted" });
  });
});
