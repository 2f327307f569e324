import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BROWSER_DEFAULTS } from "../../base/browser.ts";
import { exampleLease } from "../../protocol/example.ts";
import type { Lease } from "../../protocol/index.ts";
import { currentDigest, digestOfFile, identityOf } from "../binary-digest.ts";
import type { ProvenBrowser } from "../browser/prove.ts";
import { stageFiles } from "./files.ts";
import { leasePlaces } from "./places.ts";
import type { Reporter } from "./reporter.ts";

const base = mkdtempSync(join(tmpdir(), "files "));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("a browser that was exchanged since it was tried is told by its digest, and started for no task", async () => {
  const executable = join(base, "chromium");
  writeFileSync(executable, "as approved");
  const browser: ProvenBrowser = {
    executable,
    digest: await digestOfFile(executable),
    version: "HeadlessChrome/1",
    provider: "bubblewrap",
    identity: identityOf(executable),
  };
  const source = "0".repeat(64);
  const lease = exampleLease({ files: [source], code: { source }, browser: BROWSER_DEFAULTS }) as Lease;
  const places = leasePlaces(base, lease.leaseId);
  const reporter = {
    file: async (_: string, path: string) => writeFileSync(path, ""),
  } as unknown as Reporter;
  const stage = (given: ProvenBrowser | null) =>
    stageFiles(lease, places, reporter, given, new AbortController().signal);

  const { own } = await stage(browser);
  expect(JSON.parse(own!.arguments.at(-1)!)).toEqual({ ...BROWSER_DEFAULTS, executable });
  expect(await currentDigest(browser)).toBe(browser.digest);

  writeFileSync(executable, "something else");
  expect(stage(browser)).rejects.toMatchObject({ code: "feature_unsupported" });
  expect(await currentDigest(browser)).not.toBe(browser.digest);
  rmSync(executable);
  expect(stage(browser)).rejects.toMatchObject({ code: "feature_unsupported" });
  expect(stage(null)).rejects.toMatchObject({ code: "feature_unsupported" });
});
