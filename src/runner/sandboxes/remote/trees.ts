import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, join } from "node:path";
import { fail } from "../../../base/errors.ts";

const TAR = "/bin/tar";
const ENVIRONMENT = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" };

/** Directories by their absolute paths as one archive. */
export async function packTrees(paths: readonly string[], limit: number): Promise<Blob> {
  const child = Bun.spawn([TAR, "-cf", "-", "-C", "/", "--", ...paths.map((path) => path.slice(1))], {
    env: ENVIRONMENT,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of child.stdout) {
    size += part.length;
    if (size <= limit) parts.push(part);
  }
  if ((await child.exited) !== 0 || size > limit)
    throw fail("execution_start_failed", `the workspace cannot be packed, or has more than ${limit} bytes`);
  return new Blob(parts);
}

/**
 * Put directories that came back in the place of what was there. Whoever packed them is not trusted: they are unpacked
 * elsewhere, only what is asked for is taken, and nobody's owner, device or special mode is.
 * @throws Failure `execution_output_invalid`
 */
export async function unpackTrees(
  packed: ReadableStream<Uint8Array>,
  paths: readonly string[],
  dataDirectory: string,
  limit: number,
): Promise<void> {
  const aside = mkdtempSync(join(dataDirectory, "unpacked-"));
  try {
    const flags = ["--no-same-owner", "--no-same-permissions", "--delay-directory-restore", "-x", "-f", "-"];
    const child = Bun.spawn([TAR, ...flags, "-C", aside], {
      env: ENVIRONMENT,
      stdio: ["pipe", "ignore", "ignore"],
    });
    let size = 0;
    for await (const part of packed as unknown as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > limit) break;
      child.stdin.write(part);
      await child.stdin.flush();
    }
    await child.stdin.end();
    if ((await child.exited) !== 0 || size > limit)
      throw fail("execution_output_invalid", `what came back is no archive of at most ${limit} bytes`);
    for (const path of paths) {
      const from = join(aside, path);
      // No step on the way may be a link: it would lead out of what was unpacked.
      if (!isPlain(aside, path)) throw fail("execution_output_invalid", "the workspace did not come back");
      // The directory itself stays: a task next to it may stand in it.
      for (const name of existsSync(path) ? readdirSync(path) : [])
        rmSync(join(path, name), { recursive: true, force: true });
      mkdirSync(path, { recursive: true });
      for (const name of readdirSync(from)) renameSync(join(from, name), join(path, basename(name)));
    }
  } finally {
    chmodSync(aside, 0o700);
    rmSync(aside, { recursive: true, force: true });
  }
}

function isPlain(root: string, path: string): boolean {
  let at = root;
  for (const part of path.split("/").filter((name) => name !== "")) {
    at = join(at, part);
    if (!lstatSync(at, { throwIfNoEntry: false })?.isDirectory()) return false;
  }
  return true;
}
