import { expect, test } from "bun:test";
import { remedyFor } from "./probe.ts";

test("why bwrap does not start is told by what would let it: a unit's settings, a path, or the kernel", () => {
  for (const [said, remedy] of [
    ["bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "ProtectKernelLogs="],
    ["bwrap: Can't set hostname to lightflow: Operation not permitted", "ProtectHostname="],
    ["bwrap: Can't mkdir parents for /opt/x: Read-only file system", "readOnlyPaths"],
    ["EACCES: permission denied, posix_spawn '/usr/bin/bwrap'", "apt-get install"],
    ["bwrap: No permissions to create new namespace", "user.max_user_namespaces"],
    ["", "user.max_user_namespaces"],
  ] as const)
    expect([said, remedyFor(said)]).toEqual([said, expect.stringContaining(remedy)]);
});
