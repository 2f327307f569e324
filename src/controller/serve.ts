import { fail, toFailure } from "../base/errors.ts";
import { pathOf, problemResponse } from "../base/http.ts";
import { LIMITS } from "../base/limits.ts";
import { type Listening, listenTcp, type ServerTls } from "../base/listen.ts";
import {
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  ROUTES,
  TASK_ACTIONS,
  type TaskAction,
} from "../protocol/index.ts";
import type { Controller } from "./controller.ts";
import { reply } from "./reply.ts";
import { beat, challenge, claim, drain, register, snapshot } from "./routes/session.ts";
import { getArtifact, putArtifact, TASK_HANDLERS } from "./routes/task.ts";

const SESSION_ROUTES: Record<string, typeof register> = {
  [ROUTES.challenge]: challenge,
  [ROUTES.register]: register,
  [ROUTES.heartbeat]: beat,
  [ROUTES.claim]: claim,
  [ROUTES.auditSnapshot]: snapshot,
  [ROUTES.drain]: drain,
};

const TASK_PATH = /^\/runner\/task\/([0-9a-f-]{36})\/(?:([a-z]+)|artifact\/([^/]+))$/;

/** Answer one message of a runner. */
export async function handleRunner(controller: Controller, request: Request): Promise<Response> {
  try {
    return await route(controller, request);
  } catch (error) {
    const failure = toFailure(error);
    const response = problemResponse(failure);
    if (response.status < 500) await controller.refusals.note(request, failure);
    else
      controller.log.error("a runner message failed", {
        path: pathOf(request),
        error: String(error),
      });
    const retryAfterMs = failure.details?.["retryAfterMs"];
    if (typeof retryAfterMs === "number") {
      response.headers.set("retry-after", String(Math.ceil(retryAfterMs / 1000)));
    }
    response.headers.set(PROTOCOL_HEADER, PROTOCOL_VERSION);
    return response;
  }
}

async function route(controller: Controller, request: Request): Promise<Response> {
  const pathname = pathOf(request);
  if (request.method === "GET" && pathname === "/health") return reply({ status: "ok" });
  const version = request.headers.get(PROTOCOL_HEADER);
  if (version === null || version.split(".")[0] !== PROTOCOL_VERSION.split(".")[0]) {
    throw fail(
      "protocol_unsupported",
      `this controller speaks ${PROTOCOL_VERSION}, the message ${version ?? "says none"}`,
      {
        hint: "use a runner of the same major version",
      },
    );
  }
  const session = SESSION_ROUTES[pathname];
  if (session !== undefined && request.method === "POST") return await session(controller, request);
  const task = TASK_PATH.exec(pathname);
  if (task !== null) {
    const [, leaseId, action, digest] = task;
    if (digest !== undefined && request.method === "PUT")
      return await putArtifact(controller, request, leaseId!, digest);
    if (digest !== undefined && request.method === "GET")
      return getArtifact(controller, request, leaseId!, digest);
    if (request.method === "POST" && TASK_ACTIONS.includes(action as TaskAction)) {
      return await TASK_HANDLERS[action as TaskAction](controller, request, leaseId!);
    }
  }
  throw fail("not_found", `${request.method} ${pathname} is not a route of the runner protocol`);
}

/** Listen for runners. `flag` is how the caller's command chooses the port. @throws Failure `io` when the port is taken */
export function serveController(
  controller: Controller,
  host: string,
  port: number,
  flag: string,
  tls?: ServerTls,
): Listening {
  return listenTcp({
    tls,
    host,
    port,
    flag,
    maximumBodyBytes: LIMITS.artifactBytes,
    handle: (request) => handleRunner(controller, request),
  });
}
