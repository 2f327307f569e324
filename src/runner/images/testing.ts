import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** An OCI image layout made of directories, one a layer, for tests. */
export function testLayout(
  directory: string,
  layers: readonly string[],
  config: Record<string, unknown> = {},
): string {
  const blobs = join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const document = (value: unknown, kind: string) =>
    put(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`);
  const packed = layers.map((layer) => {
    const file = join(directory, "layer.tar.gz");
    const child = Bun.spawnSync(["tar", "-czf", file, "-C", layer, "."]);
    if (child.exitCode !== 0) throw new Error(child.stderr.toString());
    const bytes = readFileSync(file);
    rmSync(file);
    return put(bytes, "application/vnd.oci.image.layer.v1.tar+gzip");
  });
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const platform = { os: "linux", architecture };
  const manifest = document(
    { schemaVersion: 2, config: document({ ...platform, config }, "config"), layers: packed },
    "manifest",
  );
  writeFileSync(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, platform }] }),
  );
  return directory;
}

/** A root file system with a shell and these programs of the host, and the libraries that they load. */
export function tinyRoot(root: string, programs: readonly string[] = ["sh", "cat", "id", "ls"]): string {
  const copy = (source: string, target: string): void => {
    mkdirSync(dirname(join(root, target)), { recursive: true });
    cpSync(realpathSync(source), join(root, target));
  };
  for (const program of programs) {
    const found = Bun.which(program);
    if (found === null) throw new Error(`${program} is not installed`);
    copy(found, join("bin", program));
    const listed = Bun.spawnSync(["ldd", found]).stdout.toString();
    for (const [library] of listed.matchAll(/\/\S+\.so\S*/g)) copy(library, library);
  }
  return root;
}
