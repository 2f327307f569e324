import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { generatedDocs } from "../../scripts/generate-docs.ts";
import { checkProject, findWorkflow } from "../../src/assets/index.ts";

const ROOT = join(import.meta.dir, "..", "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const documents = [
  "README.md",
  "AGENTS.md",
  ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`),
].filter((path) => path.endsWith(".md"));

test("the generated documents are what the code generates (bun scripts/generate-docs.ts)", () => {
  for (const [path, text] of generatedDocs()) expect(read(path)).toBe(text);
});

test("every link inside the documents leads to a file", () => {
  const broken: string[] = [];
  for (const path of documents) {
    for (const [, target] of read(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      if (!existsSync(join(ROOT, dirname(path), target!))) broken.push(`${path}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test("every row of the traceability table has an id of its own, and a test that exists or `not yet`", () => {
  const rows = read("docs/traceability.md")
    .split("\n")
    .filter((line) => /^\| (LF|RN|SR)-/.test(line))
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  expect(rows.length).toBeGreaterThan(100);
  const wrong: string[] = [];
  const ids = new Set<string>();
  for (const [, id, requirement, proof] of rows) {
    if (ids.has(id!)) wrong.push(`${id}: twice`);
    ids.add(id!);
    if (!requirement) wrong.push(`${id}: no requirement`);
    if (proof === "not yet") continue;
    const paths = [...(proof ?? "").matchAll(/`([^`]+\.(?:test\.ts|ts|sh))`/g)].map((match) => match[1]!);
    if (paths.length === 0) wrong.push(`${id}: neither a test nor "not yet"`);
    for (const path of paths) if (!existsSync(join(ROOT, path))) wrong.push(`${id}: no file ${path}`);
  }
  expect(wrong).toEqual([]);
});

test("the workflow that README.md shows is one", () => {
  const project = mkdtempSync(join(tmpdir(), "lightflow-readme-"));
  try {
    const [, text] = /```ts\n([\s\S]*?)```/.exec(read("README.md"))!;
    mkdirSync(join(project, "lightflow", "workflows"), { recursive: true });
    writeFileSync(join(project, "lightflow", "workflows", "hello.ts"), text!);
    expect(checkProject(project).diagnostics).toEqual([]);
    expect(findWorkflow(project, "workflow.hello").definition.steps.map((step) => step.step_id)).toEqual([
      "greet",
    ]);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
