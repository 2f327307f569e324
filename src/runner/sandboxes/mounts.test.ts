import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveMounts } from "./mounts.ts";

const directory = realpathSync(mkdtempSync(join(tmpdir(), "mounts ")));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const data = join(directory, "data");
const allowed = join(directory, "allowed");
mkdirSync(join(data, "workspaces/other"), { recursive: true });
mkdirSync(join(allowed, "inner"), { recursive: true });
writeFileSync(join(allowed, "key.pem"), "key");
symlinkSync(data, join(allowed, "to-data"));
symlinkSync("/etc", join(allowed, "to-etc"));
symlinkSync(allowed, join(directory, "alias"));

const resolved = (source: string, target = "/mnt/x", roots: string[] = ["/"], credentials: string[] = []) => {
  try {
    return resolveMounts([{ source, target, readOnly: true }], roots, data, credentials);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test("whatever roots are allowed, the runner's own directory and the kernel's interfaces are in no mount", () => {
  for (const source of [
    data,
    join(data, "workspaces"),
    join(data, "workspaces/other"),
    join(allowed, "to-data"),
  ])
    expect([source, resolved(source)]).toEqual([source, "execution_policy_denied"]);
  for (const source of ["/proc", "/proc/1", "/sys", "/dev", "/dev/null"])
    expect([source, resolved(source)]).toEqual([source, "execution_policy_denied"]);
  // Nor may anything lie over them inside.
  for (const target of ["/proc", "/proc/self", "/sys/fs", "/dev/shm", "/"])
    expect([target, resolved(allowed, target)]).toEqual([target, "execution_policy_denied"]);
});

test("a source counts as what it really is, and a path that is not plain is refused", () => {
  expect(resolved(join(allowed, "inner"), "/mnt/x", [join(directory, "alias")])).toEqual([
    { source: join(allowed, "inner"), target: "/mnt/x", readOnly: true },
  ]);
  expect(resolved(join(allowed, "to-etc"), "/mnt/x", [allowed])).toBe("execution_policy_denied");
  for (const source of [`${allowed}/../data`, "relative", `${allowed}\0`])
    expect([source, resolved(source)]).toEqual([source, "execution_policy_denied"]);
  expect(resolved(join(allowed, "none"))).toBe("not_found");
});

test("a mount shows no file with a credential, however it is named", () => {
  const key = join(allowed, "key.pem");
  for (const [source, credential] of [
    [allowed, key],
    [key, key],
    [allowed, join(directory, "alias/key.pem")],
  ] as const)
    expect(resolved(source, "/mnt/x", ["/"], [credential])).toBe("execution_policy_denied");
  expect(resolved(join(allowed, "inner"), "/mnt/x", ["/"], [key])).toBeArray();
});
