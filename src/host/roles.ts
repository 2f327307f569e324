import { systemClock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import type { ServerTls } from "../base/listen.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/xdg.ts";
import { createController, serveController } from "../controller/index.ts";
import { type ListenOptions, listenGateway, listenSocket } from "../gateway/index.ts";
import { Orchestrator } from "../orchestrator/index.ts";
import { openSecrets } from "../secrets/index.ts";
import type { Orchestration } from "../service/index.ts";
import { tryLock } from "../store/host-lock.ts";
import { hostLockPath, openParts, type Parts, serviceContext } from "./parts.ts";
import { probeSocket, socketPath } from "./probe.ts";
import { callSocket } from "./socket.ts";
import { startWaking } from "./wake.ts";

export interface RoleOptions {
  readonly paths: Paths;
  readonly log: Log;
  readonly root: string;
}

export interface Role {
  /** What it listens on. */
  readonly url: string;
  stop(): Promise<void>;
}

type Closer = () => void | Promise<void>;

/** One role over the shared store, with its wake-up socket. Whatever was opened is closed again when a step fails. */
async function openRole(
  options: RoleOptions,
  open: (parts: Parts, closers: Closer[]) => Promise<string>,
): Promise<Role> {
  const closers: Closer[] = [];
  const stop = async () => {
    for (const close of closers.reverse().splice(0)) await close();
  };
  try {
    const parts = openParts(options.paths, options.log);
    closers.push(() => parts.close());
    closers.push(startWaking(parts.store, options.paths.runtime));
    return { url: await open(parts, closers), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The orchestrator alone, reachable on the API socket of this host. */
export function openOrchestrator(options: RoleOptions & { lanes?: readonly string[] }): Promise<Role> {
  return openRole(options, async (parts, closers) => {
    const unlock = tryLock(hostLockPath(options.paths));
    if (unlock === null) {
      throw fail("conflict", `another lightflow host works on ${options.paths.state}`, {
        hint: "stop it first",
      });
    }
    closers.push(unlock);
    const orchestrator = new Orchestrator({
      ...parts,
      clock: systemClock,
      removeSpool: (target) => parts.spool.remove(target),
      ...(options.lanes === undefined ? {} : { lanes: options.lanes }),
      calls: { secrets: openSecrets(parts.store, options.paths.state) },
    });
    closers.push(() => orchestrator.stop());
    const path = socketPath(options.paths);
    if ((await probeSocket(path)) !== null) {
      throw fail("conflict", `${path} belongs to another host`, {
        hint: "set XDG_RUNTIME_DIR to another directory",
      });
    }
    const context = serviceContext(parts, {
      root: options.root,
      trustsPaths: false,
      orchestration: orchestrator,
    });
    const listening = listenSocket(context, path);
    closers.push(() => listening.stop());
    return listening.url;
  });
}

/** The controller alone. Several may share a store. */
export function openController(
  options: RoleOptions,
  host: string,
  port: number,
  tls?: ServerTls,
): Promise<Role> {
  return openRole(options, async (parts, closers) => {
    const controller = await createController({ ...parts, clock: systemClock });
    closers.push(() => controller.stop());
    const server = serveController(controller, host, port, "--port", tls);
    closers.push(() => server.stop());
    return server.url;
  });
}

/** The gateway alone: it reads the store and sends what changes a run to the orchestrator's socket. */
export function openGateway(options: RoleOptions, listen: ListenOptions): Promise<Role> {
  return openRole(options, async (parts, closers) => {
    const context = serviceContext(parts, {
      root: options.root,
      trustsPaths: false,
      orchestration: remoteOrchestration(socketPath(options.paths), options.paths.state),
    });
    const listening = listenGateway(context, listen);
    closers.push(() => listening.stop());
    return listening.url;
  });
}

/** The orchestrator behind a socket; `no_orchestrator` while nobody answers there for this store. */
function remoteOrchestration(path: string, state: string): Orchestration {
  const alive = async () => {
    const health = await probeSocket(path);
    if (health === null || health.state !== state || !health.orchestrator) {
      throw fail("no_orchestrator", undefined, {
        hint: "start one with `lightflow up` or `lightflow orchestrator`",
      });
    }
  };
  const as = (tenantId: string, subject = "gateway") => ({ tenantId, subject });
  return {
    isReady: () =>
      alive().then(
        () => true,
        () => false,
      ),
    async start(run) {
      await alive();
      return await callSocket(path, "startDocument", { ...run }, undefined, as(run.tenantId));
    },
    async cancel(tenantId, runId, reason) {
      await alive();
      return (await callSocket(path, "cancelRun", { run_id: runId, reason }, undefined, as(tenantId))).phase;
    },
    async suspend(tenantId, runId, reason) {
      await alive();
      return (await callSocket(path, "pauseRun", { run_id: runId, reason }, undefined, as(tenantId))).phase;
    },
    async resume(tenantId, runId) {
      await alive();
      return (await callSocket(path, "resumeRun", { run_id: runId }, undefined, as(tenantId))).phase;
    },
    async resolveAttempt({ tenantId, attempt, as: outcome, output, note, actor }) {
      await alive();
      const resolved = await callSocket(
        path,
        "resolveAttempt",
        { attempt_id: attempt, as: outcome, ...(outcome === "succeeded" ? { output } : {}), note },
        undefined,
        as(tenantId, actor),
      );
      return {
        leaseId: resolved.lease_id,
        instanceId: resolved.instance_id,
        stepId: resolved.step_id,
        attempt: resolved.attempt,
      };
    },
    async publish(tenantId, document) {
      await alive();
      return await callSocket(path, "publishWorkflow", { document }, undefined, as(tenantId));
    },
    async directSchedule({ tenantId, ...key }, state, actor) {
      await alive();
      const operation = state === "paused" ? "pauseSchedule" : "resumeSchedule";
      await callSocket(path, operation, key, undefined, as(tenantId, actor));
    },
    async resolveCall(tenantId, id, resolution, actor) {
      await alive();
      const answer = await callSocket(
        path,
        "resolveCall",
        { id, ...resolution },
        undefined,
        as(tenantId, actor),
      );
      return { runId: answer.run_id, stepId: answer.step_id };
    },
    async decideApproval({ tenantId, approvalId, decision, actor, roles, note }) {
      await alive();
      const answer = await callSocket(
        path,
        decision === "approve" ? "approveApproval" : "rejectApproval",
        { approval_id: approvalId, note },
        undefined,
        { ...as(tenantId, actor), roles },
      );
      return answer.run_id;
    },
    async answer(tenantId, taskId, answer, actor, roles = []) {
      await alive();
      const input = { task_id: taskId, answer };
      const acting = { ...as(tenantId, actor), roles };
      return (await callSocket(path, "answerQuestion", input, undefined, acting)).run_id;
    },
  };
}
