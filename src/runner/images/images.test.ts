import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageStore } from "./store.ts";
import { testLayout } from "./testing.ts";

const base = mkdtempSync(join(tmpdir(), "images "));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let serial = 0;
const fresh = (name: string): string => {
  const path = join(base, `${serial++}-${name}`);
  mkdirSync(path, { recursive: true });
  return path;
};
/** A directory with these files; a value that begins with `->` is a link. */
function tree(files: Record<string, string>): string {
  const root = fresh("tree");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    if (content.startsWith("->")) symlinkSync(content.slice(2), join(root, path));
    else writeFileSync(join(root, path), content);
  }
  return root;
}
const code = (work: () => unknown): Promise<unknown> =>
  Promise.resolve()
    .then(work)
    .then(
      () => null,
      (error: { code?: unknown }) => error.code,
    );

test("an image is imported once, found by name, by tag and by digest, and names its configuration", async () => {
  const layout = testLayout(fresh("layout"), [tree({ "bin/tool": "one", "etc/os": "tiny" })], {
    Entrypoint: ["/bin/tool"],
    Env: ["A=b"],
  });
  const store = new ImageStore(fresh("data"));
  const digest = await store.import(layout, "tools/tiny:latest");
  expect(await store.import(layout, "tools/tiny:latest")).toBe(digest);
  const image = store.find("tools/tiny");
  expect(image).toMatchObject({ digest, config: { Entrypoint: ["/bin/tool"], Env: ["A=b"] } });
  expect(store.find(`anything@${digest}`).root).toBe(image.root);
  expect(readFileSync(join(image.root, "etc/os"), "utf8")).toBe("tiny");
  expect(await code(() => store.find("tools/other"))).toBe("feature_unsupported");
  expect(await code(() => store.find(`x@sha256:${"0".repeat(64)}`))).toBe("feature_unsupported");
});

test("upper layers replace and take away what is below, also where links lead within the image", async () => {
  const layout = testLayout(fresh("layout"), [
    tree({
      "usr/lib/a": "1",
      "usr/lib/b": "1",
      "opt/x": "1",
      "opt/y": "1",
      lib: "->usr/lib",
      "weiß\nname": "1",
    }),
    tree({ "lib/.wh.a": "", "opt/.wh..wh..opq": "", "opt/z": "2", "usr/lib/b": "2", ".wh.weiß\nname": "" }),
  ]);
  const store = new ImageStore(fresh("data"));
  await store.import(layout, "two");
  const { root } = store.find("two");
  expect(readdirSync(join(root, "usr/lib"))).toEqual(["b"]);
  expect(readFileSync(join(root, "usr/lib/b"), "utf8")).toBe("2");
  expect(readdirSync(join(root, "opt"))).toEqual(["z"]);
  expect(readdirSync(root).sort()).toEqual(["lib", "opt", "usr"]);
});

test("a layer cannot write or remove through a link that leads out of the image", async () => {
  const outside = fresh("outside");
  writeFileSync(join(outside, "kept"), "host");
  const uppers: Record<string, string>[] = [
    { "out/new": "escaped" },
    { "out/.wh.kept": "" },
    { "out/.wh..wh..opq": "" },
  ];
  for (const upper of uppers) {
    const layout = testLayout(fresh("layout"), [tree({ out: `->${outside}` }), tree(upper)]);
    expect(await code(() => new ImageStore(fresh("data")).import(layout, "bad"))).toBe("invalid_request");
    expect(readdirSync(outside)).toEqual(["kept"]);
  }
});

test("what was changed, cut or left out is refused, and nothing stays behind", async () => {
  const change: ((layout: string) => void)[] = [
    (layout) => rmSync(join(layout, "index.json")),
    (layout) => writeFileSync(join(layout, "index.json"), "{}"),
    (layout) => {
      for (const name of readdirSync(join(layout, "blobs/sha256")))
        if (readFileSync(join(layout, "blobs/sha256", name))[0] === 0x1f)
          writeFileSync(join(layout, "blobs/sha256", name), "other bytes");
    },
    (layout) => rmSync(join(layout, "blobs/sha256"), { recursive: true }),
  ];
  for (const spoil of change) {
    const layout = testLayout(fresh("layout"), [tree({ a: "1" })]);
    spoil(layout);
    const data = fresh("data");
    expect(await code(() => new ImageStore(data).import(layout, "bad"))).toBe("invalid_request");
    expect(readdirSync(data)).toEqual([]);
  }
  expect(await code(() => new ImageStore(fresh("data")).import("/no/such/image", "x"))).toBe("not_found");
});

test("a tar file of a layout is taken too", async () => {
  const layout = testLayout(fresh("layout"), [tree({ a: "1" })]);
  const file = join(fresh("tar"), "image.tar");
  Bun.spawnSync(["tar", "-cf", file, "-C", layout, "."]);
  const store = new ImageStore(fresh("data"));
  const digest = await store.import(file, "tarred");
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  expect(digest).toBe(index.manifests[0].digest);
  const manifest = readFileSync(join(layout, "blobs/sha256", digest.slice(7)));
  expect(`sha256:${createHash("sha256").update(manifest).digest("hex")}`).toBe(digest);
  expect(existsSync(join(store.find("tarred").root, "a"))).toBe(true);
});
