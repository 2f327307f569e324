/**
 * What stands compressed in the executable: files that are served as they are, libraries that few runs load, and the parser's
 * addon. Bytecode of a library takes four times its source and ten times its compressed source, and pays only where its
 * start is waited for.
 */
import { basename, join, relative } from "node:path";
import type { BunPlugin } from "bun";

const ROOT = join(import.meta.dir, "..");

/** What packages ask for their own place would be the place of this build. */
export const PLACE = {
  __dirname: JSON.stringify("/$bunfs/root"),
  __filename: JSON.stringify("/$bunfs/root/lightflow"),
};

/** Imported `with { type: "file" }`; whoever serves them sees by their first bytes what they are. */
const FILES = /\/(?:swagger-ui-bundle\.js|swagger-ui\.css|openapi\/lightflow\.yaml)$/;

/** Modules that hand on packages, and nothing of ours: what both sides of such a border held would be there twice. */
const LIBRARIES = [
  "src/calls/grpc/library.ts",
  "src/runner/sandboxes/remote/e2b-library.ts",
  "src/runner/sandboxes/remote/kubernetes-library.ts",
];

/** Elysia looks into files that a route takes as `t.File`; no route of ours does. */
const NEVER_LOADED = /\/node_modules\/file-type\//;

/** A plugin cannot build: the libraries are bundled before the build that it is for. */
export async function packing(): Promise<BunPlugin> {
  const packed = new Map<string, Uint8Array>();
  const libraries = new Map<string, readonly string[]>();
  for (const path of LIBRARIES) {
    const { source, exports } = await bundle(path);
    packed.set(path, pack(source));
    libraries.set(join(ROOT, path), exports);
  }
  return {
    name: "packing",
    setup(build) {
      build.onLoad({ filter: FILES }, async ({ path }) => ({
        contents: pack(await Bun.file(path).bytes()),
        loader: "file",
      }));
      build.onLoad({ filter: /library\.ts$/ }, ({ path }) => {
        const exports = libraries.get(path);
        return exports && { contents: unpacking(relative(ROOT, path), exports), loader: "js" };
      });
      build.onLoad({ filter: /\/parser\.[a-z0-9-]+\.node$/ }, async ({ path }) => {
        const name = basename(path);
        packed.set(name, pack(await Bun.file(path).bytes()));
        return { contents: unpackingAddon(name), loader: "js" };
      });
      build.onLoad({ filter: NEVER_LOADED }, () => ({
        contents: 'throw new Error("left out of the executable");',
        loader: "js",
      }));
      build.onResolve({ filter: /^packed:/ }, ({ path }) => ({
        path: path.slice("packed:".length),
        namespace: "packed",
      }));
      build.onLoad({ filter: /./, namespace: "packed" }, ({ path }) => ({
        contents: packed.get(path)!,
        loader: "file",
      }));
    },
  };
}

async function bundle(entry: string) {
  const { outputs, metafile } = await Bun.build({
    entrypoints: [join(ROOT, entry)],
    root: ROOT,
    target: "bun",
    format: "esm",
    minify: true,
    sourcemap: "none",
    define: PLACE,
    metafile: true,
  });
  const own = Object.keys(metafile!.inputs).filter((path) => !path.includes("node_modules/"));
  if (own.length > 1) throw new Error(`${entry} reaches our own ${own.join(", ")}`);
  const source = await outputs[0]!.text();
  if (source.includes(ROOT)) throw new Error(`${entry} names the place of this build`);
  const { exports } = new Bun.Transpiler({ loader: "js" }).scan(source);
  return { source: new TextEncoder().encode(source), exports };
}

/** A module that unpacks a library when it is loaded, and exports what that exports. */
const unpacking = (name: string, exports: readonly string[]): string =>
  `import path from ${JSON.stringify(`packed:${name}`)} with { type: "file" };
const source = Bun.gunzipSync(await Bun.file(path).bytes());
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
export const { ${exports.join(", ")} } = await import(url);
URL.revokeObjectURL(url);
`;

const unpackingAddon = (name: string): string =>
  `import { loadAddon } from ${JSON.stringify(join(ROOT, "src/assets/addon.ts"))};
import path from ${JSON.stringify(`packed:${name}`)} with { type: "file" };
export const { parseSync } = loadAddon(path);
`;

const pack = (bytes: Uint8Array<ArrayBuffer>) => Bun.gzipSync(bytes, { level: 9 });
