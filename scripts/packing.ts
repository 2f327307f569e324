/**
 * What stands compressed in the executable: files that are served as they are, and libraries that few runs load. Bytecode of
 * a library takes four times its source and ten times its compressed source, and pays only where its start is waited for.
 */
import { join, relative } from "node:path";
import type { BunPlugin } from "bun";

const ROOT = join(import.meta.dir, "..");

/** Imported `with { type: "file" }`; whoever serves them sees by their first bytes what they are. */
const FILES = /\/(?:swagger-ui-bundle\.js|swagger-ui\.css|openapi\/lightflow\.yaml)$/;

/** Modules that hand on packages, and nothing of ours: what both sides of such a border held would be there twice. */
const LIBRARIES = [
  "src/calls/grpc/library.ts",
  "src/runner/sandboxes/remote/e2b-library.ts",
  "src/runner/sandboxes/remote/kubernetes-library.ts",
];

/** A plugin cannot build: the libraries are bundled before the build that it is for. */
export async function packing(): Promise<BunPlugin> {
  const libraries = new Map<string, Library>();
  for (const path of LIBRARIES) libraries.set(join(ROOT, path), await bundle(path));
  return {
    name: "packing",
    setup(build) {
      build.onLoad({ filter: FILES }, async ({ path }) => ({
        contents: pack(await Bun.file(path).bytes()),
        loader: "file",
      }));
      build.onLoad({ filter: /library\.ts$/ }, ({ path }) => {
        const library = libraries.get(path);
        return library === undefined ? undefined : { contents: unpacking(path, library), loader: "js" };
      });
      build.onResolve({ filter: /^packed:/ }, ({ path }) => ({
        path: path.slice("packed:".length),
        namespace: "packed",
      }));
      build.onLoad({ filter: /./, namespace: "packed" }, ({ path }) => ({
        contents: libraries.get(join(ROOT, path))!.packed,
        loader: "file",
      }));
    },
  };
}

interface Library {
  readonly packed: Uint8Array;
  readonly exports: readonly string[];
}

async function bundle(entry: string): Promise<Library> {
  const { outputs, metafile } = await Bun.build({
    entrypoints: [join(ROOT, entry)],
    root: ROOT,
    target: "bun",
    format: "esm",
    minify: true,
    sourcemap: "none",
    metafile: true,
  });
  const own = Object.keys(metafile!.inputs).filter((path) => !path.includes("node_modules/"));
  if (own.length > 1) throw new Error(`${entry} reaches our own ${own.join(", ")}`);
  const source = await outputs[0]!.text();
  const { exports } = new Bun.Transpiler({ loader: "js" }).scan(source);
  return { packed: pack(new TextEncoder().encode(source)), exports };
}

/** A module that unpacks a library when it is loaded, and exports what that exports. */
const unpacking = (path: string, { exports }: Library): string =>
  `import path from ${JSON.stringify(`packed:${relative(ROOT, path)}`)} with { type: "file" };
const source = Bun.gunzipSync(await Bun.file(path).bytes());
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
export const { ${exports.join(", ")} } = await import(url);
URL.revokeObjectURL(url);
`;

const pack = (bytes: Uint8Array<ArrayBuffer>) => Bun.gzipSync(bytes, { level: 9 });
