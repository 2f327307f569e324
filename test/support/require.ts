/** What a machine may lack. `.ci/run` requires all of them. */
export type Prerequisite =
  | "root"
  | "fuse"
  | "userns"
  | "oci"
  | "conformance"
  | "flatc"
  | "chromium"
  | "cargo"
  | "maven";

/**
 * Whether tests that need something can run here. A missing prerequisite is printed as `not run: …`, which `verify`
 * counts; one that `LIGHTFLOW_REQUIRE` (comma-separated names) names throws, so that its file fails.
 * @example const mounts = prerequisite("fuse", existsSync("/dev/fuse"), "no /dev/fuse"); test.skipIf(!mounts)(…)
 */
export function prerequisite(
  name: Prerequisite,
  available: boolean,
  reason: string,
  env: Record<string, string | undefined> = process.env,
  print: (line: string) => void = console.log,
): boolean {
  if (available) return true;
  if ((env["LIGHTFLOW_REQUIRE"] ?? "").split(",").includes(name)) {
    throw new Error(`required but missing: ${name}: ${reason}`);
  }
  print(`not run: ${name}: ${reason}`);
  return false;
}

/** Whether the long form of a seeded suite was asked for (`bun run verify:deep`). */
export const isDeep = process.env["LIGHTFLOW_DEEP"] === "1";
