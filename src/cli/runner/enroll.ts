import { closeSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { sha256 } from "../../base/canonical.ts";
import { systemClock } from "../../base/clock.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { randomToken } from "../../base/ids.ts";
import { storePath } from "../../host/index.ts";
import { enrolRunner, Store } from "../../store/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Approve a runner before it comes: what it may offer, and the token it will register with. The token is written once, to a file that only you can read; the store keeps its digest. Enrolling again replaces both.",
  positionals: [{ name: "id", label: "runner id" }],
  flags: {
    out: { type: "string", value: "FILE", required: true, about: "where to write the token; must not exist" },
    tenant: { type: "string", value: "TENANT", default: "default", about: "whose work it may do" },
    "host-id": {
      type: "string",
      value: "HOST",
      about: "the host it will run on",
      defaultText: "this host's name",
    },
    pool: {
      type: "list",
      value: "POOL",
      about: "pools it may serve; may be repeated",
      defaultText: "default",
    },
    profile: {
      type: "list",
      value: "PROFILE",
      about: "execution profiles it may serve; may be repeated",
      defaultText: "default",
    },
    capability: { type: "list", value: "NAME", about: "capabilities it may offer; may be repeated" },
    slots: { type: "integer", value: "N", minimum: 1, maximum: 1024, default: 4, about: "tasks at once" },
  },
  examples: [
    {
      command: "lightflow runner enroll builder-1 --out builder-1.token --capability git",
      does: "then copy the file to that machine",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(positionals.id)) {
    throw fail("usage", `${positionals.id} is not a runner id`, {
      hint: "letters, digits, '.', '_' and '-'",
    });
  }
  const path = resolve(io.cwd, flags.out);
  const token = randomToken();
  // The file first: a token that nobody can read again would be of no use in the store.
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (error) {
    throw fail("io", `cannot create ${path}: ${toFailure(error).message}`, { cause: error });
  }
  writeSync(fd, `${token}\n`);
  closeSync(fd);
  const admission = {
    tenantId: flags.tenant,
    runnerId: positionals.id,
    hostId: flags["host-id"] ?? hostname(),
    runnerPools: flags.pool.length > 0 ? [...flags.pool] : ["default"],
    executionProfiles: flags.profile.length > 0 ? [...flags.profile] : ["default"],
    capabilities: [...flags.capability],
    slots: flags.slots,
  };
  const store = Store.open(storePath(io.paths));
  try {
    await store.write(enrolRunner, {
      admission,
      enrolmentHash: sha256(token),
      actor: `user:${process.getuid?.() ?? 0}`,
      now: systemClock.wall(),
    });
  } finally {
    await store.close();
  }
  io.print(
    { ...admission, tokenFile: path },
    () => `runner ${positionals.id} may register with the token in ${path}\n`,
  );
  return 0;
};
