import { cortexPlace } from "../cortex/index.ts";
import { type CtxProjection, openHost, startCtx } from "../host/index.ts";
import { EXIT } from "./exit.ts";
import type { Io } from "./io.ts";
import { GATEWAY_FLAGS, gatewayOptions, HOST_FLAG, portFlag } from "./listen-flags.ts";
import { exitOf, untilStopped } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Orchestrator, controller, one local runner and the HTTP gateway in one process over one SQLite file. Runs that were interrupted go on. Stops on SIGTERM or Ctrl-C after letting running steps end.",
  flags: {
    host: HOST_FLAG,
    port: portFlag("port of the gateway; 0 takes a free one", "5174"),
    ...GATEWAY_FLAGS,
    ctx: {
      type: "string",
      value: "DIR",
      about: "put CortexFS here: a mount where FUSE works, else a plain directory",
      env: "LIGHTFLOW_CTX_MOUNT",
      defaultText: "/ctx when it is there",
    },
    "no-ctx": { type: "boolean", about: "without CortexFS" },
    "no-runner": { type: "boolean", about: "without a runner of its own: all runners are elsewhere" },
    "controller-port": portFlag("port of the controller; 0 takes a free one", "5175"),
  },
  examples: [
    { command: "lightflow up", does: "everything on this machine, on the usual ports" },
    { command: "lightflow up --port 0 --controller-port 0", does: "beside another host, on free ports" },
  ],
  exits: { [EXIT.interrupted]: "stopped by Ctrl-C", [EXIT.terminated]: "stopped by SIGTERM" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const settings = io.settings();
  const stop = io.stop();
  const served = flags["no-ctx"] ? undefined : (flags.ctx ?? settings.ctx);
  const host = await openHost({
    paths: io.paths,
    log: io.log(),
    root: io.root(),
    listen: {
      host: flags.host ?? settings.host,
      port: flags.port ?? settings.port,
      controllerPort: flags["controller-port"] ?? settings.controllerPort,
      ...gatewayOptions(flags),
    },
    runner: flags["no-runner"] ? null : settings.runner,
    historyDays: settings.historyDays,
    // What it serves is what its workflows ask.
    calls: { cortex: { ...cortexPlace(io.env), ...(served === undefined ? {} : { mount: served }) } },
  });
  const closers: (() => Promise<void>)[] = [() => host.stop()];
  try {
    const facts = {
      ready: true,
      gateway: host.gatewayUrl,
      controller: host.controllerUrl,
      socket: host.socket,
      state: io.paths.state,
      root: io.root(),
      pid: process.pid,
    };
    if (io.json) io.stdout.line(JSON.stringify(facts));
    else {
      io.stdout.write(
        [
          `${io.paint.bold("lightflow")} is up`,
          `  gateway     ${facts.gateway}`,
          `  controller  ${facts.controller}`,
          `  socket      ${facts.socket}`,
          `  state       ${facts.state}`,
          `  project     ${facts.root}`,
          "",
          "start a run in another terminal: lightflow run start WORKFLOW --watch",
          "",
        ].join("\n"),
      );
    }
    const ctx = flags["no-ctx"] ? null : startCtx(flags.ctx ?? settings.ctx, io.log());
    closers.push(async () => (await ctx)?.stop());
    const runner = await host.runner.catch(() => null);
    if (runner !== null && !io.json) {
      const names = (await runner.sandboxes).map((each) => each.provider);
      io.stdout.line(`runner local is ready: ${names.join(", ")}`);
    }
    if (ctx !== null) tellCtx(io, await ctx);
    await untilStopped(stop);
  } finally {
    for (const close of closers.reverse()) await close();
  }
  return exitOf(stop);
};

/** Which projection of CortexFS it took, and why not the better one. */
function tellCtx(io: Io, { how, at, reason }: CtxProjection): void {
  if (io.json) {
    io.stdout.line(JSON.stringify({ ctx: { how, at, reason } }));
    return;
  }
  const words = {
    fuse: `CortexFS is mounted at ${at}`,
    directory: `CortexFS is the plain directory ${at}`,
    none: "CortexFS is not served",
  };
  io.stdout.line(`${words[how]}${reason === null ? "" : ` (${reason})`}`);
}
