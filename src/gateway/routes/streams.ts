import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { jsonResponse } from "../../base/http.ts";
import { closed, Sha256 } from "../../protocol/common.ts";
import { type Call, callOperation, RunId, type ServiceContext, service } from "../../service/index.ts";
import { findRun } from "../../store/index.ts";
import { FRAME_IDENTIFIER, FRAME_MEDIA_TYPE, FRAME_SCHEMA } from "../../stream/index.ts";
import { frameExtras } from "../streams/extras.ts";
import { streamInfo } from "../streams/info.ts";
import { previewFrame } from "../streams/preview.ts";
import { snapshotFrame } from "../streams/snapshot.ts";
import { eventStream } from "../streams/sse.ts";
import type { GatewayRoute, RouteCall } from "./route.ts";

/** The position to go on after: a client that reconnects says it in the header, which therefore counts. */
function positionOf({ request, input }: RouteCall): number {
  const header = request.headers.get("last-event-id");
  if (header === null || header === "") return (input["after"] as number | undefined) ?? 0;
  if (!/^\d{1,15}$/.test(header)) {
    throw fail("invalid_request", `Last-Event-ID must be the number of an event: ${header.slice(0, 64)}`);
  }
  return Number(header);
}

/** The operations as the caller may ask them. */
const callIn = (context: ServiceContext): Call =>
  ((name, given, signal) => callOperation(service[name] as never, context, given, signal)) as Call;

function followRun(call: RouteCall): Response {
  const { context, request, input, parts } = call;
  const runId = input["run_id"] as string;
  const row = context.views.read(findRun, { tenantId: context.tenantId, runId });
  const after = positionOf(call);
  const feed = parts.feeds.open(row.id, row.run_id);
  const { last } = feed;
  if (after > last) {
    parts.feeds.forget(feed);
    throw fail("invalid_request", `the run has ${last} events, there is none with the number ${after}`, {
      hint: "go on after the last event that came",
      details: { last },
    });
  }
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    const format = (input["format"] as "json" | "flatbuffers" | undefined) ?? "json";
    const extras = format === "json" ? null : frameExtras(context, callIn(context), row.run_id);
    const data = { feeds: parts.feeds, feed, format, extras, position: after, follower: null };
    if (parts.upgrade(request, data)) return undefined as unknown as Response;
    parts.feeds.forget(feed);
    throw fail("invalid_request", "the WebSocket handshake is not valid");
  }
  if (input["format"] === "flatbuffers") {
    parts.feeds.forget(feed);
    throw fail("invalid_request", "/format: frames come over a WebSocket alone");
  }
  return eventStream(parts.feeds, feed, after);
}

const frameResponse = (frame: Uint8Array): Response =>
  new Response(frame, {
    headers: {
      "content-type": FRAME_MEDIA_TYPE,
      "x-lightflow-frame-encoding": "flatbuffers",
      "x-lightflow-flatbuffers-file-identifier": FRAME_IDENTIFIER,
      "cache-control": "no-store",
    },
  });

export const streamRoutes: readonly GatewayRoute[] = [
  {
    id: "streamRun",
    name: "run.stream",
    scope: "read",
    summary:
      "Events of a run as they happen, over Server-Sent Events or a WebSocket; goes on after Last-Event-ID or `after`",
    method: "GET",
    path: "/runs/:run_id/stream",
    input: closed({
      run_id: RunId,
      after: Type.Optional(Type.Integer({ minimum: 0 })),
      format: Type.Optional(Type.Union([Type.Literal("json"), Type.Literal("flatbuffers")])),
    }),
    answers: [
      {
        status: 200,
        about: "One message an event; the last one is `end` with the reason",
        type: "text/event-stream",
      },
    ],
    handle: followRun,
  },
  {
    id: "getStreamInfo",
    name: "stream.info",
    scope: "public",
    summary: "Which streams there are and how to read them",
    method: "GET",
    path: "/runtime/streams",
    input: closed({}),
    answers: [
      { status: 200, about: "Transports, frame, endpoints", schema: Type.Unsafe({ type: "object" }) },
    ],
    handle: () => jsonResponse(streamInfo()),
  },
  {
    id: "getStreamSchema",
    name: "stream.schema",
    scope: "public",
    summary: "The FlatBuffers schema of the frames",
    method: "GET",
    path: "/runtime/streams/schema.fbs",
    input: closed({}),
    answers: [{ status: 200, about: "The schema", type: "text/plain" }],
    handle: () => new Response(FRAME_SCHEMA, { headers: { "content-type": "text/plain; charset=utf-8" } }),
  },
  {
    id: "getStreamSnapshot",
    name: "stream.snapshot",
    scope: "read",
    summary: "A run as it stands as one FlatBuffers frame",
    method: "GET",
    path: "/runtime/streams/:run_id/snapshot.fb",
    input: closed({ run_id: RunId }),
    answers: [{ status: 200, about: "One frame", type: FRAME_MEDIA_TYPE }],
    handle: async ({ context, input }) =>
      frameResponse(await snapshotFrame(callIn(context), input["run_id"] as string, context.clock.wall())),
  },
  {
    id: "getStreamPreview",
    name: "stream.preview",
    scope: "read",
    summary: "A picture among a run's artifacts, made small, as one FlatBuffers frame",
    method: "GET",
    path: "/runtime/streams/:run_id/previews/:sha256",
    input: closed({ run_id: RunId, sha256: Sha256 }),
    answers: [{ status: 200, about: "One frame", type: FRAME_MEDIA_TYPE }],
    handle: async ({ context, input }) =>
      frameResponse(await previewFrame(context, input["run_id"] as string, input["sha256"] as string)),
  },
];
