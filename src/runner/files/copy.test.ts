import { afterEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
import { runnerBenches } from "../../../test/support/runner.ts";
import { newId } from "../../base/ids.ts";
import { copyTree, runTool } from "./copy.ts";
import { openOverlay } from "./overlay.ts";

const isRoot = prerequisite("root", process.getuid?.() === 0, "mounts and devices are root's to make");
const benches = runnerBenches();
const mounts: string[] = [];
const directories: string[] = [];
afterEach(async () => {
  await benches.close();
  for (const path of mounts.splice(0).reverse()) await runTool(["umount", path]);
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

function place(): string {
  const path = mkdtempSync(join(tmpdir(), "copy "));
  directories.push(path);
  return path;
}

async function mount(target: string, ...args: string[]): Promise<void> {
  mkdirSync(target, { recursive: true });
  const trouble = await runTool(["mount", ...args, target]);
  if (trouble !== null) throw new Error(trouble);
  mounts.push(target);
}

test("a link in the place of a directory, a file and nothing at all are not copied", async () => {
  const base = place();
  symlinkSync("/etc", join(base, "link"));
  writeFileSync(join(base, "file"), "");
  for (const name of ["link", "file", "missing"])
    await expect(copyTree(join(base, name), join(base, "target"), false)).rejects.toMatchObject({
      code: "execution_start_failed",
    });
  expect(existsSync(join(base, "target"))).toBe(false);
});

test("a copy that is given up leaves nothing", async () => {
  const base = place();
  mkdirSync(join(base, "source"));
  writeFileSync(join(base, "source/file"), Buffer.alloc(1 << 20));
  await expect(
    copyTree(join(base, "source"), join(base, "target"), false, AbortSignal.abort()),
  ).rejects.toThrow();
  expect(existsSync(join(base, "target"))).toBe(false);
});

test.skipIf(!isRoot)(
  "a disk that is full ends a copy with its reason, and nothing of it is left",
  async () => {
    const base = place();
    await mount(join(base, "small"), "-t", "tmpfs", "-o", "size=256k", "tmpfs");
    mkdirSync(join(base, "source"));
    writeFileSync(join(base, "source/large"), Buffer.alloc(1 << 20));
    await expect(copyTree(join(base, "source"), join(base, "small/target"), true)).rejects.toMatchObject({
      code: "execution_start_failed",
      message: expect.stringContaining("No space left"),
    });
    expect(readdirSync(join(base, "small"))).toEqual([]);
  },
);

test("a layer that cannot be mounted says why, and holds nothing", async () => {
  const base = place();
  mkdirSync(join(base, "lower"));
  const places = {
    lower: join(base, "lower"),
    upper: join(base, "none"),
    work: join(base, "none"),
    target: base,
  };
  await expect(openOverlay(places)).rejects.toMatchObject({ code: "feature_unsupported" });
});

test.skipIf(!isRoot)(
  "where a layer is refused the files are copied, and the task sees the same",
  async () => {
    const base = place();
    const layer = async (name: string, lower: string) => {
      for (const part of ["upper", "work"]) mkdirSync(join(base, name, part), { recursive: true });
      // Paths without what the option's syntax gives meaning to.
      await mount(
        join(base, name, "merged"),
        ...["-t", "overlay", "overlay", "-o"],
        `lowerdir=${lower},upperdir=${join(base, name, "upper")},workdir=${join(base, name, "work")}`,
      );
      return join(base, name, "merged");
    };
    mkdirSync(join(base, "lower"));
    writeFileSync(join(base, "lower/file"), "1\n");
    // The kernel stacks two of them, and no third.
    const path = await layer("two", await layer("one", join(base, "lower")));
    const { controller } = benches.start();
    const lease = controller.shell("cat file; echo 2 > file", {
      workspace: { mode: "ephemeral", key: newId(), copyOf: { path } },
    });
    expect(await controller.result(lease)).toMatchObject({ status: "succeeded", changedFiles: ["file"] });
    expect((await controller.result(lease)).workspace?.copied).not.toBe("overlay");
    expect(controller.log(lease)).toBe("1\n");
    expect(readFileSync(join(path, "file"), "utf8")).toBe("1\n");
  },
);

test.skipIf(!isRoot)(
  "a device among the files opens nothing in a sandbox, however it got there",
  async () => {
    const base = place();
    mkdirSync(join(base, "host"));
    for (const args of [
      ["null", "c", "1", "3"],
      ["whiteout", "c", "0", "0"],
    ])
      expect(await runTool(["mknod", join(base, "host", args[0]!), ...args.slice(1)])).toBeNull();
    writeFileSync(join(base, "host/file"), "1\n");
    const { controller } = benches.start();
    for (const more of [{}, { freeze: { when: "failed", forMs: 1000 } } as const]) {
      // What may be frozen is copied whole; the other lies under a layer.
      const lease = controller.shell("cat file; cat null && echo opened; cat whiteout && echo opened; true", {
        workspace: { mode: "ephemeral", key: newId(), copyOf: { path: join(base, "host") } },
        ...more,
      });
      expect(await controller.result(lease)).toMatchObject({ status: "succeeded" });
      expect(controller.log(lease)).toBe("1\n");
    }
  },
);
