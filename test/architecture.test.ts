import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { architectureProblems, type SourceFile } from "./support/architecture.ts";

const ROOT = join(import.meta.dir, "..");

function sources(): SourceFile[] {
  return ["src", "cortexfs"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => {
        const path = `${folder}/${name}`;
        return { path, text: readFileSync(join(ROOT, path), "utf8") };
      }),
  );
}

test("every import goes down the floors, SQL stays at home, the engine and the policy are pure", () => {
  const files = sources();
  expect(files.length).toBeGreaterThan(50);
  expect(architectureProblems(files)).toEqual([]);
});

test("each rule refuses what breaks it", () => {
  const problem = (path: string, text: string, ...others: SourceFile[]) =>
    architectureProblems([{ path, text }, ...others]).join("\n");

  // Floors
  expect(problem("src/store/a.ts", 'import { x } from "../service/x.ts";')).toContain(
    "store may not import service",
  );
  expect(problem("src/base/a.ts", 'export * from "../workflow/x.ts";')).toContain(
    "base may not import workflow",
  );
  expect(problem("src/controller/a.ts", 'import type { X } from "../orchestrator/x.ts";')).toContain(
    "controller may not import orchestrator",
  );
  expect(problem("src/gateway/a.ts", 'const x = await import("../runner/x.ts");')).toContain(
    "gateway may not import runner",
  );
  expect(problem("src/cli/a.ts", 'let x: import("../controller/x.ts").X;')).toContain(
    "cli may not import controller",
  );
  expect(problem("src/gateway/a.ts", 'import "../host/x.ts";')).toContain("gateway may not import host");
  expect(problem("src/service/a.ts", 'import "../../cortexfs/x.ts";')).toContain(
    "service may not import cortexfs",
  );
  expect(problem("src/service/a.ts", 'import "../../scripts/x.ts";')).toContain("outside of the sources");
  expect(problem("cortexfs/tree/a.ts", 'import "../../src/store/x.ts";')).toContain(
    "cortexfs may not import store",
  );
  expect(problem("src/new/a.ts", "")).toContain("stands on no floor");

  // The runner, directly and through a folder that it may import
  expect(problem("src/runner/a.ts", 'import "../workflow/x.ts";')).toContain(
    "runner may not import workflow",
  );
  expect(
    problem("src/runner/a.ts", 'import "../artifacts/b.ts";', {
      path: "src/artifacts/b.ts",
      text: 'import "../store/c.ts";',
    }),
  ).toContain("src/store/c.ts: reached by the runner through src/artifacts/b.ts");

  // SQL
  expect(problem("src/service/a.ts", 'import { Database } from "bun:sqlite";')).toContain(
    "imports bun:sqlite",
  );
  expect(problem("src/service/a.ts", "query(`SELECT id\n FROM runs WHERE id = ${id}`)")).toContain(
    "holds SQL",
  );
  expect(problem("src/runner/a.ts", 'run("INSERT OR IGNORE INTO x VALUES (1)")')).toContain("holds SQL");

  // Purity
  for (const [text, name] of [
    ["const now = Date.now();", "Date.now"],
    ["const now = new Date();", "new Date()"],
    ["const x = Math.random();", "Math.random"],
    ["performance.now();", "performance.now"],
    ['await fetch("http://x");', "fetch"],
    ['Bun.file("x");', "Bun.file"],
    ['import { readFileSync } from "node:fs";', "node:fs"],
    ['import { systemClock } from "../base/clock.ts";', "systemClock"],
  ] as const) {
    expect(problem("src/engine/a.ts", text)).toContain(name);
    expect(problem("src/policy/a.ts", text)).toContain(name);
  }

  // Discovery
  for (const text of ["await import(path);", 'eval("1");', 'new Function("1");', "new Bun.Transpiler();"]) {
    expect(problem("src/assets/a.ts", text)).toContain("discovery never executes");
  }
});

test("what the rules allow passes", () => {
  expect(
    architectureProblems([
      { path: "src/main.ts", text: 'const { main } = await import("./cli/main.ts");' },
      {
        path: "src/host/a.ts",
        text: 'import "../controller/a.ts"; import "../runner/a.ts"; import "../gateway/a.ts";',
      },
      {
        path: "src/runner/journal/a.ts",
        text: 'import { Database } from "bun:sqlite"; run("DELETE FROM x");',
      },
      {
        path: "src/runner/a.ts",
        text: 'import "../protocol/index.ts"; import { newId } from "../base/ids.ts";',
      },
      {
        path: "src/engine/a.ts",
        text: 'import type { Clock } from "../base/clock.ts"; new Date(ms); Date.parse(x);',
      },
      {
        path: "src/service/a.ts",
        text: '// SELECT a FROM b\nconst text = "select a workflow from the list";',
      },
      { path: "cortexfs/tree/a.ts", text: 'import { fail } from "../../src/base/errors.ts";' },
    ]),
  ).toEqual([]);
});
