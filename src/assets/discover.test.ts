import { expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../base/canonical.ts";
import { LIMITS } from "../base/limits.ts";
import { checkProject } from "./check/project.ts";
import { discoverAssets } from "./discover.ts";
import { assetText, TestProject, workflowText } from "./testing.ts";

const own = (root: string) => discoverAssets(root).assets.filter(({ builtin }) => !builtin);
const ids = (root: string) => own(root).map(({ meta }) => meta.id);

test("assets of the four kinds are found in their folders, sorted by id, and nothing else is", () => {
  using project = new TestProject();
  const text = assetText("model", "m.b");
  const path = project.write("models/b.ts", text);
  project.write("nodes/n.ts", assetText("node", "a.node"));
  project.write("compositions/c.ts", assetText("composition", "c.one"));
  project.write("workflows/w.ts", workflowText(""));
  project.write("workflows/w.test.ts", "not an asset");
  project.write("workflows/w.d.ts", "not an asset");
  project.write("workflows/deep/w.ts", workflowText("", "", "workflow.deep"));
  project.write("workflows/readme.md", "not an asset");
  project.write("presets/p.ts", "not an asset");
  expect(discoverAssets(project.root).diagnostics).toEqual([]);
  const assets = own(project.root);
  expect(assets.map(({ meta }) => meta.id)).toEqual(["a.node", "c.one", "m.b", "workflow.test"]);
  expect(assets[2]).toEqual({
    meta: {
      id: "m.b",
      title: "Title",
      kind: "model",
      description: "An asset of a test.",
      stability: "draft",
    },
    source_path: path,
    builtin: false,
    source_sha256: sha256(text),
  });
});

test("a project without folders, and no project at all, are empty lists", () => {
  using project = new TestProject();
  expect(own(project.root)).toEqual([]);
  expect(own(join(project.root, "missing"))).toEqual([]);
  expect(discoverAssets(project.root).diagnostics).toEqual([]);
});

test("nothing of an asset is ever run, imported or resolved", () => {
  using project = new TestProject();
  const planted = (name: string) => join(project.root, name);
  const touch = (name: string) =>
    `require("node:fs").writeFileSync(${JSON.stringify(planted(name))}, "run");`;
  const imported = project.write(
    "workflows/imported.ts",
    `${touch("imported")}\n${workflowText("", "", "workflow.i")}`,
  );
  project.write(
    "workflows/effects.ts",
    `import ${JSON.stringify(imported)};
import "./missing.ts";
${touch("top-level")}
export default (() => { ${touch("called")} })();
class C { static { ${touch("static")} } }
${workflowText("", `const x = (() => { ${touch("const")} })();`)}
process.exit(7);
`,
  );
  expect(ids(project.root)).toEqual(["workflow.i", "workflow.test"]);
  checkProject(project.root).diagnostics;
  for (const name of ["imported", "top-level", "called", "static", "const"]) {
    expect([name, existsSync(planted(name))]).toEqual([name, false]);
  }
});

test("a bad file gives one diagnostic with its place and hides no other", () => {
  using project = new TestProject();
  const path = project.write("workflows/bad.ts", "export const META = {\n  id: ,\n};\n");
  project.write("workflows/good.ts", workflowText(""));
  expect(ids(project.root)).toEqual(["workflow.test"]);
  expect(discoverAssets(project.root).diagnostics).toEqual([
    {
      code: "asset_syntax",
      severity: "error",
      path,
      line: 2,
      column: 7,
      message: expect.stringContaining(`failed to parse asset ${path}: `),
      hint: expect.any(String),
    },
  ]);
});

test("of two files with one id the first by path is listed and the other is a diagnostic", () => {
  using project = new TestProject();
  const first = project.write("nodes/a.ts", assetText("node", "node.one"));
  const second = project.write("nodes/b.ts", `\n\n${assetText("node", "node.one")}`);
  expect(own(project.root).map(({ source_path }) => source_path)).toEqual([first]);
  expect(discoverAssets(project.root).diagnostics).toEqual([
    {
      code: "id_duplicate",
      severity: "error",
      path: second,
      line: 3,
      column: 27,
      message: `the id node.one is taken by ${first}`,
      hint: "give each asset an id of its own",
    },
  ]);
});

test("a project's asset stands in for a built-in one of the same id", () => {
  using project = new TestProject();
  const path = project.write("workflows/mine.ts", workflowText("", "", "workflow.self_check"));
  const { assets, diagnostics } = discoverAssets(project.root);
  expect(diagnostics).toEqual([]);
  expect(
    assets.filter(({ meta }) => meta.id === "workflow.self_check").map(({ source_path }) => source_path),
  ).toEqual([path]);
});

test("a link inside the project is read, one that leads out of it is refused", () => {
  using project = new TestProject();
  using outside = new TestProject();
  const secret = outside.write("nodes/secret.ts", assetText("node", "node.secret"));
  const real = project.write("nodes/real.ts", assetText("node", "node.real"));
  mkdirSync(join(project.root, "lightflow/compositions"));
  symlinkSync(secret, join(project.root, "lightflow/nodes/out.ts"));
  symlinkSync("/dev/zero", join(project.root, "lightflow/nodes/device.ts"));
  symlinkSync(join(project.root, "nowhere"), join(project.root, "lightflow/nodes/dangling.ts"));
  expect(ids(project.root)).toEqual(["node.real"]);
  expect(
    discoverAssets(project.root).diagnostics.map(({ code, path }) => [code, path.split("/").at(-1)]),
  ).toEqual([
    ["asset_unreadable", "dangling.ts"],
    ["asset_outside_project", "device.ts"],
    ["asset_outside_project", "out.ts"],
  ]);
  using linked = new TestProject();
  mkdirSync(join(linked.root, "lightflow"));
  symlinkSync(join(outside.root, "lightflow/nodes"), join(linked.root, "lightflow/nodes"));
  expect(ids(linked.root)).toEqual([]);
  expect(discoverAssets(linked.root).diagnostics.map(({ code }) => code)).toEqual(["asset_outside_project"]);
  expect(real).toBeString();
});

test("hostile files are refused with a reason, and the process lives on", () => {
  using project = new TestProject();
  const meta = assetText("node", "node.deep");
  project.write("nodes/a-huge.ts", `const x = ${"[".repeat(10 * 1024 * 1024)}`);
  project.write("nodes/b-deep.ts", `${meta}const x = ${"[".repeat(LIMITS.assetFileBytes / 2)}`);
  project.write("nodes/c-not.ts", `${meta}const x = ${"!".repeat(LIMITS.assetFileBytes / 2)}1`);
  project.write("nodes/d-latin1.ts", Buffer.from([...Buffer.from("// caf"), 0xe9, 0x0a]));
  project.write("nodes/e-zero.ts", new Uint8Array(1000));
  project.write("nodes/f-empty.ts", "");
  mkdirSync(join(project.root, "lightflow/nodes/g-directory.ts"));
  Bun.spawnSync(["mkfifo", join(project.root, "lightflow/nodes/h-fifo.ts")]);
  project.write("nodes/i-good.ts", assetText("node", "node.good"));
  expect(ids(project.root)).toEqual(["node.good"]);
  expect(
    discoverAssets(project.root).diagnostics.map(({ code, path }) => [path.split("/").at(-1), code]),
  ).toEqual([
    ["a-huge.ts", "asset_too_large"],
    ["b-deep.ts", "asset_too_deep"],
    ["c-not.ts", "asset_too_deep"],
    ["d-latin1.ts", "asset_not_utf8"],
    ["e-zero.ts", expect.stringMatching(/^asset_syntax$|^meta_missing$/)],
    ["f-empty.ts", "meta_missing"],
    ["g-directory.ts", "asset_unreadable"],
    ["h-fifo.ts", "asset_unreadable"],
  ]);
});

test("values that grow by names of names, a million steps and a million faults end in a reason", () => {
  using project = new TestProject();
  const names = Array.from(
    { length: 30 },
    (_, level) => `const N${level + 1} = [N${level}, N${level}, N${level}];`,
  );
  const bomb = `const N0 = "${"x".repeat(1000)}";\n${names.join("\n")}`;
  project.write("workflows/a-bomb.ts", workflowText('.set("a", { b: N30 })', bomb));
  project.write(
    "workflows/b-loop.ts",
    workflowText('.set("a", { b: A })', "const A = [B]; const B = { a: A };", "w.b"),
  );
  const steps = Array.from({ length: 25_000 }, (_, index) => `.set("s${index}",{a:1})`).join("\n");
  project.write("workflows/c-steps.ts", workflowText(steps, "", "w.c"));
  project.write("workflows/d-faults.ts", workflowText('.set("a", x)\n'.repeat(25_000), "", "w.d"));
  const { diagnostics } = discoverAssets(project.root);
  expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([
    ["value_not_static", `the values of define() come to more than ${LIMITS.documentBytes} bytes`],
    ["value_not_static", "A refers to itself"],
    ["value_invalid", "a workflow has more than 2000 steps"],
    ["value_not_static", "x is not a const of this file"],
  ]);
  expect(
    checkProject(project.root).diagnostics.filter(({ path }) => path.endsWith("d-faults.ts")),
  ).toHaveLength(100);
});

test("a byte order mark and Windows line ends do not move the place of a problem", () => {
  using project = new TestProject();
  const bad = `${workflowText('\r\n    .set("a", { x: 1 + 1 })')}`.replaceAll(/\r?\n/g, "\r\n");
  project.write("workflows/bad.ts", `\ufeff${bad}`);
  project.write(
    "workflows/good.ts",
    `\ufeff${workflowText("", "", "workflow.good")}`.replaceAll("\n", "\r\n"),
  );
  expect(ids(project.root)).toEqual(["workflow.good", "workflow.test"]);
  expect(discoverAssets(project.root).diagnostics).toMatchObject([
    {
      code: "value_not_static",
      line: 5,
      column: 20,
      message: "the operator + is not read",
    },
  ]);
});

test("places count in UTF-16 units, as editors do", () => {
  using project = new TestProject();
  project.write("workflows/a.ts", workflowText('.set("a", { b: "😀é", c: x })'));
  expect(checkProject(project.root).diagnostics).toMatchObject([
    { code: "value_not_static", line: 4, column: 52 },
  ]);
});

test("check reports every problem of every file", () => {
  using project = new TestProject();
  project.write("workflows/a.ts", workflowText('.set("a", x).nope().set("b", y)'));
  writeFileSync(join(project.root, "lightflow/workflows/b.ts"), "export let META = {};\n");
  expect(
    checkProject(project.root).diagnostics.map(({ code, path }) => [path.split("/").at(-1), code]),
  ).toEqual([
    ["a.ts", "value_not_static"],
    ["a.ts", "method_unknown"],
    ["a.ts", "value_not_static"],
    ["b.ts", "meta_invalid"],
  ]);
});
