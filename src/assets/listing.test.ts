import { expect, test } from "bun:test";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { discoverAssets } from "./index.ts";
import { ASSET_KINDS, type AssetKind } from "./kinds.ts";
import * as listing from "./listing.ts";
import { assetText, TestProject, workflowText } from "./testing.ts";

const listAssets = (root: string, directory: string, kinds: readonly AssetKind[] = ASSET_KINDS) =>
  listing.listAssets(root, directory, kinds, () => import("./entry.ts"));

class Cache {
  readonly directory = mkdtempSync(join(tmpdir(), "lightflow index "));
  /** The one index in it. */
  get path(): string {
    return join(this.directory, readdirSync(this.directory)[0]!);
  }
  get text(): string {
    return readFileSync(this.path, "utf8");
  }
  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Older than what is too fresh to be remembered; a change of the inode counts as well. */
const settle = () => Bun.sleep(60);

test("the index gives what reading every file gives, but for what definitions say: good and bad files, links, twins, built-in ones", async () => {
  using project = new TestProject();
  using cache = new Cache();
  project.write("workflows/a.ts", workflowText(""));
  project.write("workflows/twin.ts", workflowText(""));
  project.write("nodes/bad.ts", "export const META = {");
  project.write("elsewhere/c.ts", assetText("composition", "composition.c"));
  symlinkSync(join(project.root, "lightflow/elsewhere"), join(project.root, "lightflow/compositions"));
  project.write("models", "no folder");
  project.write("nodes/good.ts", assetText("node", "node.good"));
  project.write("nodes/kind.ts", assetText("model", "node.kind"));
  symlinkSync(join(project.root, "lightflow/nodes/good.ts"), join(project.root, "lightflow/nodes/link.ts"));
  symlinkSync("/etc/hostname", join(project.root, "lightflow/nodes/out.ts"));
  await settle();
  const whole = discoverAssets(project.root);
  for (const turn of ["cold", "warm", "warm again"]) {
    expect([turn, await listAssets(project.root, cache.directory)]).toEqual([turn, whole]);
  }
  expect(await listAssets(project.root, cache.directory, ["node"])).toEqual(
    discoverAssets(project.root, { kinds: ["node"] }),
  );
});

test("a changed, a new and a removed file are seen; an unchanged one is not read again", async () => {
  using project = new TestProject();
  using cache = new Cache();
  const path = project.write("nodes/a.ts", assetText("node", "node.a"));
  project.write("nodes/b.ts", assetText("node", "node.b"));
  await settle();
  const ids = async () =>
    (await listAssets(project.root, cache.directory, ["node"])).assets
      .filter(({ builtin }) => !builtin)
      .map(({ meta }) => meta.id);
  expect(await ids()).toEqual(["node.a", "node.b"]);
  // What the index says of an unchanged file is believed.
  writeFileSync(cache.path, cache.text.replaceAll('"id":"node.b"', '"id":"node.z"'));
  expect(await ids()).toEqual(["node.a", "node.z"]);
  writeFileSync(path, assetText("node", "node.c"));
  rmSync(join(project.root, "lightflow/nodes/b.ts"));
  project.write("nodes/d.ts", assetText("node", "node.d"));
  expect(await ids()).toEqual(["node.c", "node.d"]);
});

test("a file of this very moment is not remembered, nor one whose time was set back", async () => {
  using project = new TestProject();
  using cache = new Cache();
  const path = project.write("nodes/a.ts", assetText("node", "node.a"));
  const ids = async () => (await listAssets(project.root, cache.directory, ["node"])).assets[0]!.meta.id;
  expect(await ids()).not.toBe("node.x");
  expect(cache.text).not.toContain("nodes/a.ts");
  await settle();
  await ids();
  expect(cache.text).toContain("nodes/a.ts");
  const time = new Date(1_000_000);
  utimesSync(path, time, time);
  writeFileSync(path, assetText("node", "node.b"));
  utimesSync(path, time, time);
  const { assets } = await listAssets(project.root, cache.directory, ["node"]);
  expect(assets.filter(({ builtin }) => !builtin).map(({ meta }) => meta.id)).toEqual(["node.b"]);
});

test("a broken index, one of another build, and a place that cannot be written change nothing", async () => {
  using project = new TestProject();
  using cache = new Cache();
  project.write("nodes/a.ts", assetText("node", "node.a"));
  await settle();
  const whole = discoverAssets(project.root);
  await listAssets(project.root, cache.directory);
  for (const text of ["", "{", "[]", '{"format":1,"version":"other","entries":{}}', '{"entries":null}']) {
    writeFileSync(cache.path, text);
    expect([text, await listAssets(project.root, cache.directory)]).toEqual([text, whole]);
  }
  expect(await listAssets(project.root, "/proc/nowhere")).toEqual(whole);
  expect(readdirSync(cache.directory).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});
