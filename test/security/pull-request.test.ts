import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { startForge } from "../support/forge.ts";
import { git, repository } from "../support/release-host.ts";

setDefaultTimeout(30_000);

/** The action as its sandbox runs it, against a forge that speaks the published formats over HTTP. */
const TOKEN = "forge-token-5b0e7c";
const box = sandbox("pull-request");
const bare = join(box.path, "repositories");
const inputs = join(box.path, "inputs");
const forge = startForge(bare, TOKEN);
let checkout: string;
let base: string;
let digest: string;
let patch: string;

beforeAll(() => {
  checkout = repository(join(box.path, "project"), { "src/sum.js": "exports.sum = (a, b) => a - b;\n" });
  base = git(checkout, "rev-parse", "HEAD");
  writeFileSync(join(checkout, "src/sum.js"), "exports.sum = (a, b) => a + b;\n");
  patch = `${git(checkout, "diff")}\n`;
  git(checkout, "checkout", "--quiet", "--", "src/sum.js");
  mkdirSync(join(bare, "acme"), { recursive: true });
  git(box.path, "clone", "--quiet", "--bare", checkout, join(bare, "acme/app.git"));
  git(join(bare, "acme/app.git"), "config", "http.receivepack", "true");
  mkdirSync(inputs);
  digest = sha256(patch);
});
beforeEach(() => {
  writeFileSync(join(inputs, digest), patch);
  forge.seen.length = 0;
  forge.moods();
});
afterAll(() => {
  forge.stop();
  box.remove();
});

const act = (action: string, given: object, more: Record<string, string> = {}) =>
  runBinary(["action-child", action], {
    env: {
      ...box.env,
      LIGHTFLOW_INPUTS: inputs,
      LIGHTFLOW_IDEMPOTENCY_KEY: `sha256:${"1".repeat(64)}`,
      FORGE_TOKEN: TOKEN,
      ...more,
    },
    cwd: box.path,
    stdin: JSON.stringify(given),
  });
const asked = (branch: string, more: object = {}) => ({
  api: forge.api,
  project: "acme/app",
  remote: forge.remote("acme/app"),
  repository: checkout,
  base,
  into: "main",
  branch,
  patch: `sha256:${digest}`,
  title: "Mend the sum",
  ...more,
});
const place = (branch: string) => ({ api: forge.api, project: "acme/app", into: "main", branch });
const posts = ({ seen } = forge) =>
  seen.filter(({ method, path }) => method === "POST" && path.endsWith("/pulls"));
const pushes = () => forge.seen.filter(({ path }) => path.endsWith("/git-receive-pack"));

test("a patch is pushed as a branch over git's own protocol, and a pull request opened; a repeat finds both", async () => {
  expect((await act("inspect", place("repair/one"))).stdout).toContain('"absent"');
  const first = await act("pull-request", asked("repair/one"));
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toContain('"number":1');
  expect(pushes()).toHaveLength(1);
  const remote = join(bare, "acme/app.git");
  expect(git(remote, "show", "repair/one:src/sum.js")).toContain("a + b");
  expect(git(remote, "rev-parse", "repair/one^")).toBe(base);
  expect(forge.pulls[0]!.body).toContain(`Patch: sha256:${digest}`);
  // The token goes to the forge, and stands nowhere else.
  expect(first.stdout).not.toContain(TOKEN);

  const again = await act("pull-request", asked("repair/one"));
  expect(again.stdout).toContain("the pull request 1 was opened before");
  expect([posts().length, pushes().length, forge.pulls.length]).toEqual([1, 1, 1]);
  forge.pulls[0]!.state = "closed";
  // Who closed it meant it: it is not opened anew.
  expect((await act("pull-request", asked("repair/one"))).stdout).toContain('"state":"closed"');
  expect((await act("inspect", place("repair/one"))).stdout).toContain('"closed"');
});

test("a fork's pull request from a branch of the same name is not taken for this one", async () => {
  const known = forge.pulls[0]!;
  forge.pulls.push({
    ...known,
    number: 90,
    state: "closed",
    body: "a stranger's",
    head: { ref: "repair/fork", sha: known.head.sha, repo: { full_name: "stranger/app" } },
  });
  expect((await act("pull-request", asked("repair/fork"))).stdout).toContain("opened the pull request");
  forge.pulls.pop();
  forge.pulls.pop();
});

test("a directory will do as the remote: the branch alone is pushed there", async () => {
  const remote = join(bare, "acme/app.git");
  expect(await act("pull-request", asked("repair/local", { remote }))).toMatchObject({ code: 0 });
  expect(pushes()).toHaveLength(0);
  expect(git(remote, "rev-parse", "repair/local^")).toBe(base);
});

test("F58: a forge that fails, or that does it and does not say so, ends with one pull request", async () => {
  const before = forge.pulls.length;
  // Looked for and not found; made, and the answer lost; then found.
  forge.moods("answer", "do-and-fail");
  expect(await act("pull-request", asked("repair/lost"))).toMatchObject({ code: 0 });
  expect(posts()).toHaveLength(1);
  // Not made, and found out by looking; then made.
  forge.moods("fail", "answer", "fail", "answer");
  expect(await act("pull-request", asked("repair/slow"))).toMatchObject({ code: 0 });
  expect(forge.pulls.length).toBe(before + 2);
});

test("F58: where nobody answers what stands, the action says that its outcome is not known, by an exit code of its own", async () => {
  forge.moods("answer", "do-and-fail", "fail", "fail", "fail");
  const unknown = await act("pull-request", asked("repair/unknown"));
  expect(unknown.code).toBe(75);
  expect(unknown.stderr).toContain("execution_outcome_unknown");
  // Looking at it later, and a second attempt, find what the first one made.
  expect((await act("inspect", place("repair/unknown"))).stdout).toContain('"open"');
  expect((await act("pull-request", asked("repair/unknown"))).stdout).toContain("was opened before");
});

test("a forge that is down before anything was done, and a remote that takes no pushes, are failures and not unknown", async () => {
  // Both wait between their tries: beside each other, each with a forge of its own.
  const other = startForge(bare, TOKEN);
  const repositoryOfOther = join(bare, "acme/closed.git");
  git(box.path, "clone", "--quiet", "--bare", checkout, repositoryOfOther);
  git(repositoryOfOther, "config", "http.receivepack", "false");
  forge.moods("fail", "fail", "fail");
  try {
    const [down, refused] = await Promise.all([
      act("pull-request", asked("repair/down")),
      act(
        "pull-request",
        asked("repair/read-only", {
          api: other.api,
          project: "acme/closed",
          remote: other.remote("acme/closed"),
        }),
      ),
    ]);
    expect([down.code, down.stderr]).toEqual([1, expect.stringContaining("unavailable")]);
    expect(pushes()).toHaveLength(0);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("does not take the branch")]);
    expect([posts(), posts(other)]).toEqual([[], []]);
  } finally {
    other.stop();
  }
});

test("SR-9.6: another patch under the digest, another task's pull request and another branch are refused, and nothing is pushed", async () => {
  writeFileSync(join(inputs, digest), patch.replace("a + b", "a * b"));
  const altered = await act("pull-request", asked("repair/altered"));
  expect(altered.stderr).toContain("artifact_digest_mismatch");
  expect(forge.branchOf("acme/app", "repair/altered")).toBe("");
  writeFileSync(join(inputs, digest), patch);
  const stranger = { LIGHTFLOW_IDEMPOTENCY_KEY: `sha256:${"2".repeat(64)}` };
  expect((await act("pull-request", asked("repair/one"), stranger)).stderr).toContain("somebody else's");
  const taken = await act("pull-request", asked("main"));
  expect(taken.stderr).toContain("holds something else");
  expect(forge.branchOf("acme/app", "main")).toBe(base);
  expect(posts()).toHaveLength(0);
});

for (const [what, given, why] of [
  ["no token", {}, "no token for the forge"],
  ["a token for a host without TLS", { api: "http://forge.example.org" }, "must be an https address"],
  [
    "credentials in the address",
    { remote: "https://me:secret@forge.example.org/a.git" },
    "without credentials",
  ],
  ["a project that is a path", { project: "acme/../etc" }, "is not owner/name"],
  ["a branch that is an option", { branch: "--upload-pack=evil" }, "is not a plain name"],
  ["a remote that is a program", { remote: "ext::sh -c id" }, "must be an https address"],
  ["a parameter that it does not know", { force: true }, "no parameter force"],
] as const) {
  test(`${what} is refused, and nothing is sent`, async () => {
    const env: Record<string, string> = what === "no token" ? { FORGE_TOKEN: "" } : {};
    const refused = await act("pull-request", asked("repair/refused", given), env);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(why);
    expect(refused.stderr).not.toContain("me:secret");
    expect(forge.seen).toEqual([]);
  });
}

test("a wrong token is what the forge says it is", async () => {
  const refused = await act("pull-request", asked("repair/who"), { FORGE_TOKEN: "wrong" });
  expect(refused.stderr).toContain("unauthenticated");
});
