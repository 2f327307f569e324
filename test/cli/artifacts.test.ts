import { Database } from "bun:sqlite";
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 as digestOf } from "../../src/base/canonical.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { runBinary, sandbox } from "../support/binary.ts";

setDefaultTimeout(60_000);

const box = sandbox("artifacts");
afterAll(() => box.remove());
const lightflow = (...args: string[]) => runBinary(args, { env: box.env, cwd: box.path });
const json = async (...args: string[]): Promise<JsonObject> => {
  const ran = await lightflow(...args, "--json");
  if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as JsonObject;
};
const put = async (text: string): Promise<string> => {
  writeFileSync(join(box.path, `${text}.txt`), text);
  return (await json("artifact", "put", `${text}.txt`))["sha256"] as string;
};

test("bytes from stdin are stored as they came, and nothing of them is left elsewhere", async () => {
  const own = sandbox("artifact stdin");
  try {
    const env = { ...own.env, TMPDIR: own.path };
    const bytes = "a line\n".repeat(200_000);
    const ran = await runBinary(["artifact", "put", "-"], { env, cwd: own.path, stdin: bytes });
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: "" });
    const { sha256, size } = JSON.parse(ran.stdout) as { sha256: string; size: number };
    expect({ sha256, size }).toEqual({ sha256: digestOf(bytes), size: bytes.length });
    expect(readdirSync(own.path).filter((name) => name.startsWith("lightflow-put-"))).toEqual([]);
  } finally {
    own.remove();
  }
});

test("an artifact is listed, shown, checked and held; once its retention is over it is gone, and what is known of it stays", async () => {
  const forever = await put("forever");
  writeFileSync(join(box.path, "policy.json"), JSON.stringify({ limits: { artifactRetentionMs: 1 } }));
  await json("policy", "publish", "tenant", "policy.json");
  const short = await put("short");
  const path = join(box.path, "state/lightflow/artifacts/sha256", short.slice(0, 2), short);
  const listed = (await json("artifact", "list"))["artifacts"] as JsonObject[];
  expect(listed.map(({ sha256, kind, expires_at }) => [sha256, kind, expires_at === null])).toEqual([
    [short, "upload", false],
    [forever, "upload", true],
  ]);
  expect(await json("artifact", "verify", forever)).toMatchObject({ ok: true });

  const odd = await lightflow("artifact", "show", "forever.txt");
  expect({ code: odd.code, stderr: odd.stderr }).toEqual({
    code: 2,
    stderr: "forever.txt is no digest: one has 64 hex digits; see `lightflow artifact list`\n",
  });

  const late = await lightflow("artifact", "get", `sha256:${short}`);
  expect({ code: late.code, stdout: late.stdout }).toEqual({ code: 2, stdout: "" });
  expect(late.stderr).toContain(`the artifact ${short} expired at`);
  expect(await json("artifact", "show", short)).toMatchObject({ state: "expired", size: 5 });
  expect(await json("artifact", "gc", "--dry-run")).toMatchObject({
    ...{ dry_run: true, expired: 1, removed: 1, freed_bytes: 5 },
    references: [{ sha256: short, name: "short.txt", removes_bytes: true }],
  });
  expect(existsSync(path)).toBe(true);
  expect(await json("artifact", "gc")).toMatchObject({ expired: 1, removed: 1, freed_bytes: 5 });
  expect(existsSync(path)).toBe(false);

  // Handing it in again brings it back; a hold keeps what policy does not.
  writeFileSync(
    join(box.path, "policy.json"),
    JSON.stringify({ limits: { artifactRetentionMs: 3_600_000 } }),
  );
  await json("policy", "publish", "tenant", "policy.json");
  expect(await put("short")).toBe(short);
  const hold = await json("artifact", "hold", "--artifact", short, "--reason", "case 4711");
  expect((await lightflow("artifact", "hold", "--artifact", short)).stderr).toContain("reason");
  // An hour later, as its row says.
  const db = new Database(join(box.path, "state/lightflow/lightflow.db"));
  expect(
    db.run("UPDATE upload SET expires_at = created_at WHERE expired_at IS NULL AND expires_at IS NOT NULL")
      .changes,
  ).toBe(1);
  db.close();
  expect(await json("artifact", "gc")).toMatchObject({ expired: 0, removed: 0 });
  expect((await lightflow("artifact", "get", short)).stdout).toBe("short");
  expect(((await json("artifact", "holds"))["holds"] as JsonObject[])[0]).toMatchObject({
    sha256: short,
    reason: "case 4711",
  });
  await json("artifact", "release", hold["hold_id"] as string, "--reason", "closed");
  expect(await json("artifact", "gc")).toMatchObject({ expired: 1, removed: 1 });

  // What the disk has made of it is seen by whoever looks.
  const kept = join(box.path, "state/lightflow/artifacts/sha256", forever.slice(0, 2), forever);
  writeFileSync(kept, "changed");
  const verified = await lightflow("artifact", "verify", forever);
  expect({ code: verified.code, ok: JSON.parse(verified.stdout).ok }).toEqual({ code: 1, ok: false });
});
