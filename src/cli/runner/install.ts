import { resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import type { RunnerFile } from "../../host/runner-tools.ts";
import type { RunnerUnit } from "../install/unit.ts";
import { installUnit } from "../install.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { readRunnerFile } from "./file.ts";
import { setupOfFile } from "./setup.ts";

export const spec = {
  description:
    "Writes a hardened service unit that runs `lightflow runner --config FILE`, after a look at that file. Nothing is started.",
  flags: {
    systemd: { type: "boolean", about: "a unit of systemd: the one kind there is" },
    config: {
      type: "string",
      value: "FILE",
      default: "/etc/lightflow/runner.yaml",
      about: "runner.yaml of the service",
    },
    user: { type: "string", value: "USER", default: "lightflow", about: "the account that it runs as" },
    out: {
      type: "string",
      value: "FILE|-",
      about: "where to write it; - prints it",
      defaultText: "/etc/systemd/system/lightflow-runner.service",
    },
    force: { type: "boolean", about: "replace a unit that is there" },
  },
  examples: [
    {
      command: "sudo lightflow runner install --systemd",
      does: "then: systemctl daemon-reload && systemctl enable --now lightflow-runner",
    },
  ],
} as const satisfies CommandSpec;

/** After what the file says: what it does not say, and the last results. */
const DELIVERY_SECONDS = 20;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const config = resolve(io.cwd, flags.config);
  const file = readRunnerFile(config);
  const setup = setupOfFile(file, io);
  if (setup.controllerUrl === null) {
    throw fail("schema_violation", `${config} names no controller`, { hint: "add controllerUrl" });
  }
  const { systemd, user, out, force } = flags;
  return await installUnit(
    {
      positionals: { args: ["--config", config] },
      flags: { systemd, user, out, force, role: "runner", project: undefined },
    },
    io,
    unitOf(file),
  );
};

function unitOf(file: RunnerFile): RunnerUnit {
  const { dataDirectory, imagesDirectory, credentialFile, tls, secrets = {}, vault } = file;
  const { mounts = [], drainMs = 0, killGraceMs = 0 } = file;
  const given = (paths: (string | undefined)[]) => paths.filter((path) => path !== undefined);
  const sources = Object.values(secrets);
  return {
    writable: given([dataDirectory, imagesDirectory]),
    files: given([
      credentialFile,
      tls?.key,
      vault?.tokenFile,
      ...sources.map((source) => ("file" in source ? source.file : undefined)),
    ]),
    mounts,
    credentials: sources.flatMap((source) => ("credential" in source ? [source.credential] : [])),
    stopSeconds: Math.ceil((drainMs + killGraceMs) / 1000) + DELIVERY_SECONDS,
  };
}
