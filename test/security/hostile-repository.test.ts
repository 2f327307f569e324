import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { git, repository } from "../support/release-host.ts";

setDefaultTimeout(30_000);

/** A repository comes from a workspace, where a task may have written its configuration too. */
const box = sandbox("hostile-repository");
const inputs = join(box.path, "inputs");
const ran = join(box.path, "ran");
const evil = join(box.path, "evil");
const patch = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-one\n+two\n";
const MISSING = "1".repeat(40);
let place: string;
let signed: string;

beforeAll(() => {
  place = repository(join(box.path, "project"), { a: "one\n" });
  writeFileSync(evil, `#!/bin/sh\ntouch ${ran}\nexit 1\n`);
  chmodSync(evil, 0o755);
  mkdirSync(inputs);
  writeFileSync(join(inputs, sha256(patch)), patch);
  const commit = join(box.path, "commit");
  const text = git(place, "cat-file", "commit", "HEAD");
  const signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n none\n -----END PGP SIGNATURE-----";
  writeFileSync(commit, `${text.replace(/^committer .*$/m, `$&\n${signature}`)}\n`);
  signed = git(place, "hash-object", "-t", "commit", "-w", commit);
  for (const [key, value] of [
    ["log.showSignature", "true"],
    ["gpg.program", evil],
    ["core.fsmonitor", evil],
    ["core.repositoryFormatVersion", "1"],
    ["extensions.partialClone", "origin"],
    ["remote.origin.promisor", "true"],
    ["remote.origin.url", place],
    ["remote.origin.uploadpack", evil],
    ["protocol.file.allow", "always"],
  ] as const)
    git(place, "config", key, value);
  const hook = join(place, ".git/hooks/reference-transaction");
  mkdirSync(join(place, ".git/hooks"), { recursive: true });
  writeFileSync(hook, `#!/bin/sh\ntouch ${ran}\n`);
  chmodSync(hook, 0o755);
});
afterAll(() => box.remove());

const hasRun = (work: () => unknown): boolean => {
  rmSync(ran, { force: true });
  try {
    work();
  } catch {
    // The programs of this repository fail what they were started for.
  }
  return existsSync(ran);
};
const act = (action: string, given: object) =>
  runBinary(["action-child", action], {
    env: { ...box.env, LIGHTFLOW_INPUTS: inputs, LIGHTFLOW_IDEMPOTENCY_KEY: `sha256:${"1".repeat(64)}` },
    cwd: box.path,
    stdin: JSON.stringify({ repository: place, ...given }),
  });

test("no program that a repository's configuration names runs in an action: not to check a signature, to fetch what is missing, or as a hook", async () => {
  // What git does by itself there, so that there is something to keep from running.
  expect(hasRun(() => git(place, "show", "-s", "--format=%ct", signed))).toBe(true);
  expect(hasRun(() => git(place, "cat-file", "-e", MISSING))).toBe(true);
  expect(hasRun(() => git(place, "tag", "by-hand", signed))).toBe(true);

  rmSync(ran, { force: true });
  expect(await act("tag", { tag: "v1", commit: signed })).toMatchObject({ code: 0 });
  const given = { branch: "repair/a", patch: `sha256:${sha256(patch)}` };
  expect(await act("branch", { ...given, base: signed })).toMatchObject({ code: 0 });
  expect(git(place, "rev-parse", "repair/a^")).toBe(signed);
  expect((await act("tag", { tag: "v2", commit: MISSING })).stderr).toContain("not_found");
  expect((await act("branch", { ...given, branch: "repair/b", base: MISSING })).stderr).toContain(
    "not_found",
  );
  expect(existsSync(ran)).toBe(false);
});
