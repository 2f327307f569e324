import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { VERSION } from "../base/version.ts";
import { type Component, cargoComponents, cycloneDx, npmComponents } from "../release/index.ts";
import type { ActionContext } from "./child.ts";
import { onlyKnows, plainName, text } from "./given.ts";

const INNER = /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\0\\]+$/;

/**
 * The bill of materials of a checked-out project from its lock file, as CycloneDX 1.6 JSON into the file `output` of the
 * workspace. `package-lock.json` and `Cargo.lock` are known; a Maven project without either lists its declared dependencies.
 */
export async function sbom({ given, say }: ActionContext): Promise<Json> {
  onlyKnows(given, "directory", "name", "version", "output");
  const directory = inner(text(given, "directory", "."));
  const output = inner(text(given, "output"));
  const name = text(given, "name");
  const version = plainName(given, "version");
  const { ecosystem, components } = read(directory);
  const document = cycloneDx({ name, version, ecosystem }, components, VERSION);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${JSON.stringify(document, null, 2)}\n`);
  say(`${output}: ${components.length} components (${ecosystem})`);
  return { file: output, ecosystem, components: components.length };
}

function inner(path: string): string {
  if (!INNER.test(path)) throw fail("invalid_request", `${path} is not a path inside the workspace`);
  return path;
}

function read(directory: string): { ecosystem: "npm" | "cargo" | "maven"; components: Component[] } {
  const file = (name: string) => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  };
  const npm = file("package-lock.json") ?? file("npm-shrinkwrap.json");
  if (npm !== null) return { ecosystem: "npm", components: npmComponents(parsed(npm, "package-lock.json")) };
  const cargo = file("Cargo.lock");
  if (cargo !== null) return { ecosystem: "cargo", components: cargoComponents(Bun.TOML.parse(cargo)) };
  if (file("pom.xml") !== null) return { ecosystem: "maven", components: [] };
  throw fail("not_found", `${directory} has neither package-lock.json, Cargo.lock nor pom.xml`, {
    hint: "a release is made from a locked set of dependencies: commit the lock file",
  });
}

function parsed(source: string, name: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    throw fail("invalid_request", `${name} is not JSON`);
  }
}
