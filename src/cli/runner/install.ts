import { resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import { run as install } from "../install.ts";
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

export const run: Run<typeof spec> = async ({ flags, given }, io) => {
  const config = resolve(io.cwd, flags.config);
  const setup = setupOfFile(readRunnerFile(config), io);
  if (setup.controllerUrl === null) {
    throw fail("schema_violation", `${config} names no controller`, { hint: "add controllerUrl" });
  }
  const { systemd, user, out, force } = flags;
  return await install(
    {
      given,
      positionals: { args: ["--config", config] },
      flags: { systemd, user, out, force, role: "runner", project: undefined },
    },
    io,
  );
};
