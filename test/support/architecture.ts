import { posix } from "node:path";
import { parseTypeScript } from "../../src/assets/parser.ts";

/** A source file by its path from the repository's root. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const ROLES = ["service", "orchestrator", "controller", "runner"];
const LIBRARIES = [
  "agents",
  "engine",
  "assets",
  "policy",
  "store",
  "artifacts",
  "audit",
  "cortex",
  "calls",
  "redaction",
  "secrets",
  "stream",
  "release",
];
const GROUND = ["workflow", "expression", "protocol", "base", "builtins"];
const BELOW_ROLES = [...LIBRARIES, ...GROUND];

/** What each folder of `src/` may import besides itself: the floors of docs/01-architecture.md, floor by floor. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["cli", "code", "actions", "agent", "base"],
  // What runs inside the sandbox of a task: it has nothing of the product but itself.
  code: ["base", "calls"],
  actions: ["base", "release"],
  agent: ["base", "calls"],
  cli: ["gateway", "host", "service", ...BELOW_ROLES, "cortexfs"],
  gateway: ["service", ...BELOW_ROLES],
  // The one that composes roles into a process.
  host: ["gateway", ...ROLES, ...BELOW_ROLES, "cortexfs"],
  service: BELOW_ROLES,
  orchestrator: BELOW_ROLES,
  controller: BELOW_ROLES,
  // What the runner must not see it cannot import.
  runner: ["protocol", "base", "artifacts", "calls", "redaction", "cortex", "release"],
  ...Object.fromEntries(LIBRARIES.map((name) => [name, BELOW_ROLES])),
  ...Object.fromEntries(GROUND.map((name) => [name, GROUND])),
  base: [],
  cortexfs: ["base"],
};

/** What neither the runner nor anything it imports may reach. */
const HIDDEN_FROM_RUNNER = ["store", "engine", "assets", "policy"];

/** What sources may read beside themselves: facts of the package, and the API that they serve. */
const OUTSIDE = ["package.json", "openapi/lightflow.yaml"];

const SQL_HOMES = ["src/store/", "src/runner/journal/", "cortexfs/exchange/store/"];
const SQL =
  /\b(SELECT\s[\s\S]+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|(CREATE|DROP|ALTER)\s+(TABLE|INDEX|TRIGGER|VIEW)|PRAGMA\s+\w+|BEGIN\s+IMMEDIATE)\b/;

const PURE = ["engine", "policy"];
/** Reached through a global; `Bun.CryptoHasher` alone is a pure function. */
const IMPURE_OBJECTS: Readonly<Record<string, readonly string[]>> = {
  Math: ["random"],
  Date: ["now"],
  performance: ["*"],
  process: ["*"],
  crypto: ["*"],
  Bun: ["*"],
};
const PURE_MEMBERS = ["Bun.CryptoHasher"];
const IMPURE_CALLS = ["fetch", "setTimeout", "setInterval", "setImmediate", "require"];
/** Values of `base/` that hide a clock, chance or a disk. */
const IMPURE_NAMES = ["systemClock", "newId", "randomToken", "createLog", "xdgPaths", "writeFileDurable"];

interface Import {
  /** As written. */
  readonly specifier: string;
  readonly names: readonly string[];
  readonly typeOnly: boolean;
}

interface Facts {
  readonly imports: Import[];
  readonly texts: string[];
  readonly impure: string[];
  readonly dynamic: string[];
}

type Node = { readonly type: string } & Record<string, unknown>;

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";
const nameOf = (value: unknown): string =>
  isNode(value) ? String(value["name"] ?? value["value"] ?? "") : "";
const textOf = (value: unknown): string | undefined =>
  isNode(value) && value.type === "Literal" && typeof value["value"] === "string"
    ? value["value"]
    : undefined;

/** The folder that a path belongs to: `engine` of `src/engine/x.ts`, `cortexfs`, `main`. */
function groupOf(path: string): string | undefined {
  const [first, second] = path.split("/");
  if (first === "cortexfs") return "cortexfs";
  if (first !== "src" || second === undefined) return undefined;
  return second === "main.ts" ? "main" : second;
}

function visit(node: Node, facts: Facts): void {
  const source = textOf(node["source"]);
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      if (source !== undefined) {
        const names = ((node["specifiers"] as Node[] | undefined) ?? []).map((each) =>
          nameOf(each["imported"] ?? each["local"]),
        );
        const kind = node["importKind"] ?? node["exportKind"];
        facts.imports.push({ specifier: source, names, typeOnly: kind === "type" });
      }
      break;
    case "ImportExpression":
      facts.dynamic.push("import()");
      if (source !== undefined) facts.imports.push({ specifier: source, names: [], typeOnly: false });
      break;
    case "TSImportType": {
      const specifier = textOf(node["source"]) ?? textOf((node["argument"] as Node | undefined)?.["literal"]);
      if (specifier !== undefined) facts.imports.push({ specifier, names: [], typeOnly: true });
      break;
    }
    case "CallExpression": {
      const callee = node["callee"];
      if (!isNode(callee) || callee.type !== "Identifier") break;
      const name = nameOf(callee);
      const [argument] = (node["arguments"] as unknown[] | undefined) ?? [];
      const specifier = textOf(argument);
      if (name === "require" && specifier !== undefined) {
        facts.imports.push({ specifier, names: [], typeOnly: false });
      }
      if (name === "eval") facts.dynamic.push("eval");
      if (IMPURE_CALLS.includes(name)) facts.impure.push(name);
      break;
    }
    case "NewExpression": {
      const name = nameOf(node["callee"]);
      if (name === "Function") facts.dynamic.push("new Function");
      if (name === "Date" && (node["arguments"] as unknown[]).length === 0) facts.impure.push("new Date()");
      break;
    }
    case "MemberExpression": {
      const object = node["object"];
      if (!isNode(object) || object.type !== "Identifier") break;
      const member = `${nameOf(object)}.${nameOf(node["property"])}`;
      if (member === "Bun.Transpiler") facts.dynamic.push(member);
      const denied = Object.hasOwn(IMPURE_OBJECTS, nameOf(object)) ? IMPURE_OBJECTS[nameOf(object)]! : [];
      const hit = denied.includes("*") || denied.includes(nameOf(node["property"]));
      if (hit && !PURE_MEMBERS.includes(member)) facts.impure.push(member);
      break;
    }
    case "Literal": {
      const text = textOf(node);
      if (text !== undefined) facts.texts.push(text);
      break;
    }
    case "TemplateLiteral":
      facts.texts.push(
        (node["quasis"] as Node[]).map((each) => (each["value"] as { raw: string }).raw).join(" x "),
      );
      break;
    default:
  }
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const each of value) if (isNode(each)) visit(each, facts);
    } else if (isNode(value)) visit(value, facts);
  }
}

/** The path that a relative import leads to, from the root; undefined for a package. */
function resolveImport(path: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined;
}

/**
 * Every broken rule of the house, as `path: what is wrong`. Tests beside the code are left out by the caller.
 * Template files that are embedded as text are read like code: what they import stays inside their own folder.
 */
export function architectureProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  const edges = new Map<string, string[]>();

  for (const { path, text } of files) {
    const group = groupOf(path);
    if (group === undefined) continue;
    const allowed = MAY_IMPORT[group];
    if (allowed === undefined) {
      problems.push(`${path}: the folder ${group} stands on no floor`);
      continue;
    }
    const facts: Facts = { imports: [], texts: [], impure: [], dynamic: [] };
    visit(parseTypeScript(text).program as unknown as Node, facts);
    const targets: string[] = [];
    for (const each of facts.imports) {
      const target = resolveImport(path, each.specifier);
      if (target !== undefined) {
        targets.push(target);
        const other = groupOf(target);
        if (other === undefined) {
          if (!OUTSIDE.includes(target)) problems.push(`${path}: imports ${target}, outside of the sources`);
        } else if (other !== group && !allowed.includes(other)) {
          problems.push(`${path}: ${group} may not import ${other} (${each.specifier})`);
        }
      }
      if (each.specifier === "bun:sqlite" && !SQL_HOMES.some((home) => path.startsWith(home))) {
        problems.push(`${path}: imports bun:sqlite outside of ${SQL_HOMES.join(", ")}`);
      }
      if (PURE.includes(group)) {
        if (/^(node:|bun:)/.test(each.specifier))
          problems.push(`${path}: ${group} is pure, but imports ${each.specifier}`);
        const impure = each.typeOnly ? [] : each.names.filter((name) => IMPURE_NAMES.includes(name));
        for (const name of impure) problems.push(`${path}: ${group} is pure, but imports ${name}`);
      }
    }
    edges.set(path, targets);
    if (!SQL_HOMES.some((home) => path.startsWith(home))) {
      const sql = facts.texts.find((each) => SQL.test(each));
      if (sql !== undefined) problems.push(`${path}: holds SQL: ${sql.trim().slice(0, 40)}`);
    }
    if (PURE.includes(group)) {
      for (const name of facts.impure) problems.push(`${path}: ${group} is pure, but uses ${name}`);
    }
    if (group === "assets") {
      for (const name of facts.dynamic) problems.push(`${path}: discovery never executes, but uses ${name}`);
    }
  }
  return [...problems, ...hiddenReached(edges)];
}

/** What the runner reaches through others, by the first path found. */
function hiddenReached(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const problems: string[] = [];
  const queue = [...edges.keys()].filter((path) => groupOf(path) === "runner");
  const seen = new Set(queue);
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const target of edges.get(path) ?? []) {
      if (seen.has(target)) continue;
      seen.add(target);
      const group = groupOf(target);
      if (group !== undefined && HIDDEN_FROM_RUNNER.includes(group)) {
        problems.push(`${target}: reached by the runner through ${path}`);
      } else queue.push(target);
    }
  }
  return problems;
}
