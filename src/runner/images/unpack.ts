import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fail } from "../../base/errors.ts";
import type { ImageLayer } from "./layout.ts";

const DECOMPRESS = { none: [], gzip: ["--gzip"], zstd: ["--zstd"] } as const;
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/**
 * Put one layer over those below it. What the layer takes away (`.wh.` entries of the OCI image specification) is
 * removed first. `tar` strips what leads out of the root and makes such links last; what a lower layer left is checked
 * here, since `tar` would follow a link of it to the host's own files.
 * @throws Failure `invalid_request`
 */
export async function unpackLayer(root: string, layer: ImageLayer): Promise<void> {
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const real = realpathSync(root);
  for (const name of await listLayer(layer)) {
    const parent = parentInside(real, dirname(name));
    const last = basename(name);
    if (parent === null || !last.startsWith(WHITEOUT)) continue;
    const gone = last === OPAQUE ? readdirSync(parent) : [last.slice(WHITEOUT.length)];
    for (const entry of gone) rmSync(join(parent, entry), { recursive: true, force: true });
  }
  await tar([
    "--extract",
    ...DECOMPRESS[layer.compression],
    "--file",
    layer.file,
    "--directory",
    root,
    "--no-same-owner",
    "--delay-directory-restore",
    "--exclude=.wh.*",
    // Device nodes have no use in a sandbox, and only root could make them.
    "--exclude=./dev/*",
    "--exclude=dev/*",
  ]);
}

/** The directory that a name stands in, null where there is none yet. A way out of the root is refused. */
function parentInside(root: string, directory: string): string | null {
  let at = root;
  for (const part of directory.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") throw fail("invalid_request", `the layer names ${directory}`);
    at = join(at, part);
    if (!existsSync(at)) return null;
    at = realpathSync(at);
    if (at !== root && !at.startsWith(`${root}/`))
      throw fail(
        "invalid_request",
        `the layer writes through a link that leads out of the image: ${directory}`,
      );
  }
  return at;
}

async function listLayer({ compression, file }: ImageLayer): Promise<string[]> {
  const listed = await tar(["--list", "--quoting-style=escape", ...DECOMPRESS[compression], "--file", file]);
  return listed.split("\n").filter(Boolean).map(unescaped);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** A name as it is, from the way `tar` lists it: one a line, other bytes than those of ASCII in octal. */
function unescaped(listed: string): string {
  if (!listed.includes("\\")) return listed;
  const bytes = listed.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

async function tar(args: readonly string[]): Promise<string> {
  const child = Bun.spawn(["tar", ...args], {
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, error] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode === 0) return output;
  throw fail("invalid_request", `the layer cannot be unpacked: ${error.trim().split("\n").at(-1)}`);
}
