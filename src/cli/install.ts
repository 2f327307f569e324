import { existsSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fail, toFailure } from "../base/errors.ts";
import { type RunnerUnit, systemdUnit, UNIT_ROLES } from "./install/unit.ts";
import type { Io } from "./io.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Writes a hardened service unit that runs a role of this executable, with its state under /var/lib/lightflow. Nothing is started.",
  positionals: [
    {
      name: "args",
      label: "arguments of the role",
      about: "after --, such as -- --port 5174",
      optional: true,
      rest: true,
    },
  ],
  flags: {
    systemd: { type: "boolean", about: "a unit of systemd: the one kind there is" },
    role: { type: "string", value: "ROLE", choices: UNIT_ROLES, default: "up", about: "what it runs" },
    user: { type: "string", value: "USER", default: "lightflow", about: "the account that it runs as" },
    project: { type: "string", value: "DIR", about: "the project that it serves" },
    out: {
      type: "string",
      value: "FILE|-",
      about: "where to write it; - prints it",
      defaultText: "/etc/systemd/system/lightflow-ROLE.service",
    },
    force: { type: "boolean", about: "replace a unit that is there" },
  },
  examples: [
    {
      command: "sudo lightflow install --systemd --project /srv/pipelines",
      does: "then: systemctl daemon-reload && systemctl enable --now lightflow-up",
    },
    { command: "lightflow install --systemd --role controller --out -", does: "look at a unit first" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (parsed, io) => await installUnit(parsed, io);

/** @param runner what its `runner.yaml` asks for, of a runner that has one */
export async function installUnit(
  { positionals, flags }: Pick<Parameters<Run<typeof spec>>[0], "positionals" | "flags">,
  io: Io,
  runner?: RunnerUnit,
): Promise<number> {
  if (!flags.systemd)
    throw fail("usage", "missing --systemd", { hint: "it is the one kind of unit there is" });
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(flags.user)) {
    throw fail("usage", `${flags.user} is not the name of an account`);
  }
  if (basename(process.execPath).startsWith("bun")) {
    throw fail("usage", "only the compiled executable can be installed", { hint: "bun run build" });
  }
  // A runner without its id does not start.
  if (flags.role === "runner" && (positionals.args ?? []).length === 0) {
    throw fail("usage", "a runner's unit needs its flags", {
      hint: "lightflow runner install --systemd, for /etc/lightflow/runner.yaml, or flags behind --",
    });
  }
  const unit = systemdUnit({
    role: flags.role,
    executable: process.execPath,
    user: flags.user,
    root: flags.project === undefined ? null : resolve(io.cwd, flags.project),
    args: positionals.args ?? [],
    ...(runner === undefined ? {} : { runner }),
  });
  if (flags.out === "-") {
    io.stdout.write(unit);
    return 0;
  }
  const path = resolve(io.cwd, flags.out ?? `/etc/systemd/system/lightflow-${flags.role}.service`);
  if (existsSync(path) && !flags.force) {
    throw fail("conflict", `${path} is there already`, { hint: "look at it, then give --force" });
  }
  try {
    writeFileSync(path, unit, { mode: 0o644 });
  } catch (error) {
    throw fail("io", `cannot write ${path}: ${toFailure(error).message}`, {
      hint: "run it with sudo, or give --out",
    });
  }
  const next = [
    `useradd --system ${flags.user}`,
    ...(runner?.writable ?? []).map((each) => `install -d -o ${flags.user} -m 700 '${each}'`),
    ...(runner?.files ?? []).map((each) => `chown ${flags.user} '${each}'`),
    "systemctl daemon-reload",
    `systemctl enable --now ${basename(path)}`,
  ].join("; ");
  io.print({ path, role: flags.role, user: flags.user, next }, () => `wrote ${path}\nnext: ${next}\n`);
  return 0;
}
