import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { fail } from "../base/errors.ts";
import { startRemoteRunner } from "../host/index.ts";
import { exitOf, untilStopped } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "The runner role alone: it calls a controller, claims leases and runs exactly what each allows. It listens on nothing. Ctrl-C or SIGTERM lets running tasks end.",
  flags: {
    controller: {
      type: "string",
      value: "URL",
      required: true,
      about: "the controller, such as http://10.0.0.5:5175",
    },
    "token-file": {
      type: "string",
      value: "FILE",
      about: "the enrolment token that `lightflow runner enroll` wrote; mode 0600; for the first start alone",
    },
    id: { type: "string", value: "RUNNER", required: true, about: "the id it was enrolled with" },
    tenant: { type: "string", value: "TENANT", default: "default", about: "the tenant it was enrolled for" },
    "host-id": {
      type: "string",
      value: "HOST",
      about: "the host it was enrolled for",
      defaultText: "this host's name",
    },
    pool: { type: "list", value: "POOL", about: "pools to offer; may be repeated", defaultText: "default" },
    profile: {
      type: "list",
      value: "PROFILE",
      about: "execution profiles to offer; may be repeated",
      defaultText: "default",
    },
    capability: { type: "list", value: "NAME", about: "capabilities to offer; may be repeated" },
    slots: {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 1024,
      about: "tasks at once",
      defaultText: "one a processor",
    },
    mount: {
      type: "list",
      value: "DIR",
      about: "host directory below which a task may ask for mounts; may be repeated",
    },
    "data-dir": {
      type: "string",
      value: "DIR",
      about: "journal and workspaces",
      defaultText: "runner-ID in the state directory",
    },
  },
  examples: [
    {
      command:
        "lightflow runner --controller http://127.0.0.1:5175 --token-file ~/runner.token --id builder-1",
      does: "offer this machine to a controller",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const stop = io.stop();
  const { runner } = io.settings();
  if (!URL.canParse(flags.controller)) throw fail("usage", `--controller is not a URL: ${flags.controller}`);
  const running = startRemoteRunner({
    controllerUrl: flags.controller.replace(/\/+$/, ""),
    tokenFile: flags["token-file"] === undefined ? null : resolve(io.cwd, flags["token-file"]),
    config: {
      runnerId: flags.id,
      tenantId: flags.tenant,
      hostId: flags["host-id"] ?? hostname(),
      runnerPools: flags.pool.length > 0 ? [...flags.pool] : ["default"],
      executionProfiles: flags.profile.length > 0 ? [...flags.profile] : ["default"],
      capabilities: [...flags.capability],
      dataDirectory:
        flags["data-dir"] === undefined
          ? join(io.paths.state, `runner-${flags.id}`)
          : resolve(io.cwd, flags["data-dir"]),
      slots: flags.slots ?? (runner.slots === 0 ? navigator.hardwareConcurrency : runner.slots),
      sandbox: runner.sandbox,
      mounts: flags.mount.map((path) => resolve(io.cwd, path)),
    },
    log: io.log(),
  });
  running.ready.then(
    async () => {
      const sandboxes = (await running.sandboxes).map((each) => each.provider);
      if (io.json) {
        io.stdout.line(
          JSON.stringify({ ready: true, role: "runner", id: flags.id, sandboxes, pid: process.pid }),
        );
      } else io.stdout.line(`runner ${flags.id} is ready: ${sandboxes.join(", ")}`);
    },
    // `closed` rejects with the same failure, and is waited for.
    () => {},
  );
  await Promise.race([untilStopped(stop), running.closed]);
  await running.stop({ drain: true });
  return exitOf(stop);
};
