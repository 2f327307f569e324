import { FRAME_IDENTIFIER, FRAME_MEDIA_TYPE } from "../../stream/index.ts";

export const SCHEMA_PATH = "/runtime/streams/schema.fbs";
export const SNAPSHOT_PATH = "/runtime/streams/{run_id}/snapshot.fb";
export const PREVIEW_PATH = "/runtime/streams/{run_id}/previews/{sha256}";
export const EVENTS_PATH = "/runs/{run_id}/stream";

/** Which streams there are, and how to read them: the shape of the first interface, with what it lacked. */
export function streamInfo() {
  const serve = "lightflow serve --port 5174";
  return {
    transports: [
      { name: "http_snapshot", status: "available", endpoint: SNAPSHOT_PATH, command: serve },
      { name: "server_sent_events", status: "available", endpoint: EVENTS_PATH, command: serve },
      { name: "websocket", status: "available", endpoint: EVENTS_PATH, command: serve },
      { name: "image_preview", status: "available", endpoint: PREVIEW_PATH, command: serve },
      // Bun has no QUIC server.
      { name: "webtransport", status: "planned", endpoint: null, command: null },
    ],
    frame: {
      encoding: "flatbuffers",
      file_identifier: FRAME_IDENTIFIER,
      mime_type: FRAME_MEDIA_TYPE,
      schema_uri: SCHEMA_PATH,
    },
    endpoints: { discovery: "/runtime/streams", schema: SCHEMA_PATH, snapshot_template: SNAPSHOT_PATH },
    resume: { header: "Last-Event-ID", query: "after", position: "seq" },
  };
}
