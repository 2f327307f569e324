import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { sha256 } from "../../base/canonical.ts";
import { systemClock } from "../../base/clock.ts";
import { fail, toFailure } from "../../base/errors.ts";
import { randomToken } from "../../base/ids.ts";
import { isObject } from "../../base/json.ts";
import { readTextFile } from "../../base/read-file.ts";
import { storePath } from "../../host/index.ts";
import { Admission } from "../../protocol/admission.ts";
import { validate } from "../../protocol/validate.ts";
import { enrolRunner, Store } from "../../store/index.ts";
import { withLine } from "../file-place.ts";
import { readJsonArgument } from "../inputs.ts";
import type { Io } from "../io.ts";
import type { Arguments, CommandSpec, Run } from "../spec.ts";

const HOUR_MS = 3_600_000;

export const spec = {
  description:
    "Approve a runner before it comes: what it may offer, what it must be, and the token that lets it in once. The token is written to a file that only you can read; the store keeps its digest. Whatever is not named here is pinned to what the first registration says of it, and you are asked to look at that (`lightflow inbox list`). Enrolling again replaces everything.",
  positionals: [{ name: "id", label: "runner id" }],
  flags: {
    out: { type: "string", value: "FILE", required: true, about: "where to write the token; must not exist" },
    admission: {
      type: "string",
      value: "FILE",
      about: "an admission document, as `lightflow runner describe` prints; flags replace its members",
    },
    tenant: {
      type: "string",
      value: "TENANT",
      ids: "tenant",
      about: "whose work it may do",
      defaultText: "default",
    },
    "host-id": {
      type: "string",
      value: "HOST",
      about: "the host it will run on",
      defaultText: "this host's name",
    },
    pool: {
      type: "list",
      value: "POOL",
      ids: "pool",
      about: "pools it may serve; may be repeated",
      defaultText: "default",
    },
    profile: {
      type: "list",
      value: "PROFILE",
      ids: "profile",
      about: "execution profiles it may serve; may be repeated",
      defaultText: "default",
    },
    capability: { type: "list", value: "NAME", about: "capabilities it may offer; may be repeated" },
    slots: {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 1024,
      about: "tasks at once",
      defaultText: "4",
    },
    "image-digest": { type: "string", value: "DIGEST", about: "the container image it must run in" },
    "vm-image": { type: "string", value: "ID", about: "the machine image it must run on" },
    "binary-digest": { type: "string", value: "DIGEST", about: "the executable it must be" },
    "config-hash": { type: "string", value: "DIGEST", about: "the configuration it must have" },
    "allowlist-hash": { type: "string", value: "DIGEST", about: "the list of commands it must have" },
    sandbox: { type: "list", value: "MODE", about: "sandbox modes it may offer; may be repeated" },
    mount: { type: "list", value: "DIR", about: "host directories it may map; may be repeated" },
    "model-scope": { type: "list", value: "SCOPE", about: "model provider scopes; may be repeated" },
    "secret-policy": { type: "string", value: "NAME", about: "its secret policy" },
    "network-zone": { type: "string", value: "NAME", about: "its network zone" },
    "on-quarantine": {
      type: "string",
      value: "WHAT",
      choices: ["fence", "finish"],
      about: "its live leases when it is quarantined: end them at once, or let them end",
      defaultText: "fence",
    },
    "audit-seconds": {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 86_400,
      about: "seconds between deep audits",
      defaultText: "600",
    },
    "valid-hours": {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 720,
      default: 24,
      about: "how long the token may be used",
    },
  },
  examples: [
    {
      command: "lightflow runner enroll builder-1 --out builder-1.token --capability git",
      does: "then copy the file to that machine",
    },
    {
      command: "lightflow runner enroll builder-1 --out builder-1.token --admission builder-1.json",
      does: "exactly the runner that was described",
    },
  ],
} as const satisfies CommandSpec;

async function admissionOf({ positionals, flags }: Arguments<typeof spec>, io: Io): Promise<Admission> {
  const document =
    flags.admission === undefined ? {} : await readJsonArgument(`@${flags.admission}`, "the admission", io);
  if (!isObject(document)) throw fail("invalid_request", "the admission is not a JSON object");
  const said: Record<string, unknown> = {
    tenantId: flags.tenant,
    hostId: flags["host-id"],
    slots: flags.slots,
    imageDigest: flags["image-digest"],
    vmImageId: flags["vm-image"],
    binaryDigest: flags["binary-digest"],
    configHash: flags["config-hash"],
    commandAllowlistHash: flags["allowlist-hash"],
    secretPolicy: flags["secret-policy"],
    networkZone: flags["network-zone"],
    onQuarantine: flags["on-quarantine"],
    auditIntervalMs: flags["audit-seconds"] === undefined ? undefined : flags["audit-seconds"] * 1000,
  };
  for (const [name, list] of [
    ["runnerPools", flags.pool],
    ["executionProfiles", flags.profile],
    ["capabilities", flags.capability],
    ["sandboxModes", flags.sandbox],
    ["mounts", flags.mount],
    ["modelProviderScopes", flags["model-scope"]],
  ] as const) {
    if (list.length > 0) said[name] = [...list];
  }
  const admission = {
    tenantId: "default",
    hostId: hostname(),
    runnerPools: ["default"],
    executionProfiles: ["default"],
    capabilities: [],
    slots: 4,
    ...document,
    ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
    runnerId: positionals.id,
  };
  try {
    return validate(Admission, admission);
  } catch (error) {
    if (flags.admission === undefined) throw error;
    throw await withLine(error, readTextFile(resolve(io.cwd, flags.admission)), flags.admission);
  }
}

export const run: Run<typeof spec> = async (args, io) => {
  const { positionals, flags } = args;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(positionals.id)) {
    throw fail("usage", `${positionals.id} is not a runner id`, {
      hint: "letters, digits, '.', '_' and '-'",
    });
  }
  const admission = await admissionOf(args, io);
  const path = resolve(io.cwd, flags.out);
  const token = randomToken();
  // The file first: a token that nobody can read again would be of no use in the store.
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    const reason = isThere ? "it exists already" : toFailure(error).message;
    throw fail("io", `cannot create ${path}: ${reason}`, {
      hint: isThere ? "move it away, or name another with --out" : "name another place with --out",
      cause: error,
    });
  }
  writeSync(fd, `${token}\n`);
  fsyncSync(fd);
  closeSync(fd);
  const now = systemClock.wall();
  let quarantined: boolean;
  try {
    const store = Store.open(storePath(io.paths));
    try {
      ({ quarantined } = await store.write(enrolRunner, {
        admission,
        credential: { enrolmentHash: sha256(token), expiresAt: now + flags["valid-hours"] * HOUR_MS },
        actor: `user:${process.getuid?.() ?? 0}`,
        now,
      }));
    } finally {
      await store.close();
    }
  } catch (error) {
    // Nothing knows this token, and the file would stand in the way of the next try.
    unlinkSync(path);
    throw error;
  }
  io.print({ ...admission, quarantined, tokenFile: path }, () =>
    quarantined
      ? `runner ${positionals.id} is quarantined and stays out until it is released: lightflow runners release ${positionals.id}\n`
      : `runner ${positionals.id} may register once with the token in ${path}\n`,
  );
  return 0;
};
