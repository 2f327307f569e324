import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { MIB } from "../../base/limits.ts";
import { misfit } from "../../base/misfit.ts";

/** A part of an image: documents and layers are named by their SHA-256. */
const Descriptor = Type.Object({
  mediaType: Type.String({ maxLength: 255 }),
  digest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  size: Type.Integer({ minimum: 0 }),
  platform: Type.Optional(Type.Object({ os: Type.String(), architecture: Type.String() })),
});
type Descriptor = Static<typeof Descriptor>;

const Index = Type.Object({ manifests: Type.Array(Descriptor, { minItems: 1, maxItems: 256 }) });
const Manifest = Type.Object({ config: Descriptor, layers: Type.Array(Descriptor, { maxItems: 256 }) });

/** What of an image's configuration a run needs (OCI image specification 1.1, "Image Configuration"). */
const Texts = Type.Union([Type.Array(Type.String()), Type.Null()]);
export const ImageConfig = Type.Object({
  config: Type.Optional(
    Type.Object({
      Env: Type.Optional(Texts),
      Entrypoint: Type.Optional(Texts),
      Cmd: Type.Optional(Texts),
      WorkingDir: Type.Optional(Type.String()),
    }),
  ),
});
export type ImageConfig = Static<typeof ImageConfig>;

export interface ImageLayer {
  readonly file: string;
  /** For `tar`. */
  readonly compression: "none" | "gzip" | "zstd";
}

export interface ImageLayout {
  /** Of the manifest: the name of the image for good. */
  readonly digest: string;
  readonly config: ImageConfig;
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
}

const DOCUMENT_LIMIT = 4 * MIB;
const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * The image for this machine in an OCI image layout directory. Every document and layer is compared with its digest.
 * @throws Failure `invalid_request` that names what is wrong
 */
export async function readLayout(directory: string): Promise<ImageLayout> {
  let index = parse(Index, readText(join(directory, "index.json")), "index.json");
  for (let depth = 0; ; depth++) {
    const chosen = forThisMachine(index.manifests);
    if (!INDEX_TYPES.includes(chosen.mediaType)) return await readManifest(directory, chosen);
    if (depth === 2) throw fail("invalid_request", "the image's index leads to itself");
    index = parse(Index, await readDocument(directory, chosen), chosen.digest);
  }
}

function forThisMachine(manifests: readonly Descriptor[]): Descriptor {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const fits = manifests.find(
    ({ platform }) => platform?.os === "linux" && platform.architecture === architecture,
  );
  const found = fits ?? manifests.find(({ platform }) => platform === undefined);
  if (found !== undefined) return found;
  throw fail("invalid_request", `the image is not made for linux/${architecture}`);
}

async function readManifest(directory: string, descriptor: Descriptor): Promise<ImageLayout> {
  const manifest = parse(Manifest, await readDocument(directory, descriptor), descriptor.digest);
  const config = parse(ImageConfig, await readDocument(directory, manifest.config), manifest.config.digest);
  const layers: ImageLayer[] = [];
  for (const layer of manifest.layers) {
    const file = blob(directory, layer);
    await checkDigest(file, layer);
    layers.push({ file, compression: compressionOf(layer.mediaType) });
  }
  return { digest: descriptor.digest, config, layers };
}

function compressionOf(mediaType: string): ImageLayer["compression"] {
  if (/[.+]gzip$/.test(mediaType)) return "gzip";
  if (mediaType.endsWith("+zstd")) return "zstd";
  if (mediaType.endsWith(".tar")) return "none";
  throw fail("invalid_request", `layers of type ${mediaType} are not supported`);
}

const blob = (directory: string, { digest }: Descriptor): string =>
  join(directory, "blobs", "sha256", digest.slice("sha256:".length));

async function readDocument(directory: string, descriptor: Descriptor): Promise<string> {
  const file = blob(directory, descriptor);
  await checkDigest(file, descriptor);
  return readText(file);
}

async function checkDigest(file: string, { digest, size }: Descriptor): Promise<void> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile()) throw fail("invalid_request", `the image lacks ${digest}`);
  const hash = createHash("sha256");
  if (found.size === size) for await (const part of createReadStream(file)) hash.update(part as Buffer);
  if (found.size !== size || `sha256:${hash.digest("hex")}` !== digest)
    throw fail("invalid_request", `${file} is not what the image says: ${digest}, ${size} bytes`);
}

function readText(file: string): string {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    throw fail("invalid_request", `${file} is missing: this is not an OCI image layout`, {
      hint: "make one with `podman save --format oci-dir -o DIR IMAGE` or `skopeo copy docker://IMAGE oci:DIR`",
    });
  }
  if (size > DOCUMENT_LIMIT) throw fail("invalid_request", `${file} is over ${DOCUMENT_LIMIT} bytes`);
  return readFileSync(file, "utf8");
}

function parse<Schema extends TSchema>(schema: Schema, text: string, what: string): Static<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail("invalid_request", `${what} is not JSON`);
  }
  const wrong = misfit(schema, value);
  if (wrong !== undefined)
    throw fail("invalid_request", `${what}${wrong.keys.map((key) => `/${key}`).join("")}: ${wrong.reason}`);
  return value as Static<Schema>;
}
