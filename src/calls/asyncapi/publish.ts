import type { Json, JsonObject } from "../../base/json.ts";
import type { Credentials } from "../authentication/credentials.ts";
import type { CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { callError } from "../error.ts";
import { headersFrom } from "../http/arguments.ts";
import { encodeBody } from "../http/body.ts";
import { httpMethod } from "../http/call-http.ts";
import { httpOutput } from "../http/output.ts";
import { sendHttp } from "../http/send.ts";
import type { Channel } from "./channel.ts";
import { openWebSocket } from "./websocket.ts";

/** Send one message. The output is what an HTTP server answered, and `null` over a WebSocket, which has no answers. */
export async function publish(
  channel: Channel,
  message: JsonObject,
  credentials: Credentials | undefined,
  scope: CallScope,
): Promise<Json> {
  const headers = headersFrom(message["headers"]);
  const contentType = headers.get("content-type") ?? channel.contentType;
  const body = encodeBody(message["payload"] ?? {}, contentType)!;
  if (channel.protocol === "http") {
    headers.set("content-type", body.contentType);
    const method = httpMethod(channel.method ?? "POST");
    const answer = await sendHttp(
      { method, url: channel.url, headers, body: body.bytes },
      { redirect: false, credentials },
      scope,
    );
    return httpOutput(answer, "content");
  }
  const { socket } = await openWebSocket(channel.url, headers, credentials, scope);
  scope.sent = "possible";
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  socket.send(body.bytes as string);
  // The closing handshake is answered after all that was sent before it.
  socket.close(1000);
  const code = await closed;
  if (code !== 1000)
    throw callError("communication", `${place(channel.url)}: the connection broke off (${code})`);
  return null;
}
