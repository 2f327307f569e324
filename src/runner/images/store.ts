import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { makePrivateDirectory, writeFileDurable } from "../../base/files.ts";
import { randomToken } from "../../base/ids.ts";
import { closed, Digest, validate } from "../../protocol/index.ts";
import { type ImageConfig, readLayout } from "./layout.ts";
import { unpackLayer } from "./unpack.ts";

/** As documents name it: `alpine`, `registry.example/team/tool:1.2`, with or without a digest. */
export const ImageName = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$" });
const Names = closed({ images: Type.Record(ImageName, Digest, { additionalProperties: false }) });

/** An image that is ready to run from. */
export interface Image {
  readonly digest: string;
  readonly root: string;
  readonly config: NonNullable<Static<typeof ImageConfig>["config"]>;
}

/** Where a runner keeps its images unless its configuration says otherwise. */
export const imagesDirectory = (dataDirectory: string): string => join(dataDirectory, "images");

/** Whether an image was ever brought to this directory. */
export const hasImages = (directory: string): boolean => existsSync(join(directory, "names.json"));

/**
 * The images of a runner, each under its digest, brought by its operator. A runner never pulls: what a name means is
 * decided when the image is imported.
 */
export class ImageStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  names(): Record<string, string> {
    const file = join(this.#directory, "names.json");
    if (!existsSync(file)) return {};
    return validate(Names, JSON.parse(readFileSync(file, "utf8"))).images;
  }

  /** @throws Failure `feature_unsupported` when it was not imported */
  find(name: string): Image {
    const names = this.names();
    const at = name.lastIndexOf("@");
    const pinned = at < 0 ? undefined : name.slice(at + 1);
    const digest = pinned ?? names[name] ?? (name.includes(":") ? undefined : names[`${name}:latest`]);
    const root = digest === undefined ? undefined : this.#rootOf(digest);
    if (digest === undefined || root === undefined) {
      throw fail("feature_unsupported", `the image ${name} is not on this runner`, {
        hint: `bring it with: lightflow runner import PATH --name ${name}`,
      });
    }
    const { config = {} } = JSON.parse(readFileSync(join(root, "..", "config.json"), "utf8")) as ImageConfig;
    return { digest, root, config };
  }

  /**
   * Take an image from an OCI image layout, a directory or a tar file of one. Repeating it changes nothing.
   * @returns its digest
   */
  async import(source: string, name: string): Promise<string> {
    makePrivateDirectory(this.#directory);
    const work = join(this.#directory, `.import-${randomToken(6)}`);
    mkdirSync(work, { mode: 0o700 });
    try {
      const layout = await readLayout(await asDirectory(source, join(work, "layout")));
      const home = join(this.#directory, layout.digest.slice("sha256:".length));
      if (!existsSync(home)) {
        const fresh = join(work, "image");
        const root = join(fresh, "rootfs");
        mkdirSync(root, { recursive: true, mode: 0o755 });
        for (const layer of layout.layers) await unpackLayer(root, layer);
        // Thousands of files: one call for all of them, before the name says that they are there.
        await Bun.spawn(["sync", "-f", fresh], { stdio: ["ignore", "ignore", "ignore"] }).exited;
        writeFileDurable(join(fresh, "config.json"), JSON.stringify({ config: layout.config.config ?? {} }));
        renameSync(fresh, home);
      }
      this.#name(name, layout.digest);
      return layout.digest;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  #name(name: string, digest: string): void {
    const images = { ...this.names(), [name]: digest };
    const file = join(this.#directory, "names.json");
    writeFileDurable(file, `${JSON.stringify(validate(Names, { images }))}\n`);
  }

  #rootOf(digest: string): string | undefined {
    const root = join(this.#directory, digest.replace(/^sha256:/, ""), "rootfs");
    return /^sha256:[0-9a-f]{64}$/.test(digest) && existsSync(root) ? root : undefined;
  }
}

async function asDirectory(source: string, target: string): Promise<string> {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined) throw fail("not_found", `${source} does not exist`);
  if (found.isDirectory()) return source;
  await unpackLayer(target, { file: source, compression: "none" });
  return target;
}
