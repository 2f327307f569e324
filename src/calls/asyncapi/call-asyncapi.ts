import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { readDocument } from "../resource/read-document.ts";
import { findChannel } from "./channel.ts";
import { plainProtocol, SUPPORTED_ASYNCAPI_PROTOCOLS } from "./protocols.ts";
import { publish } from "./publish.ts";
import { subscribe } from "./subscribe.ts";

/** `call: asyncapi` (DSL reference, "AsyncAPI Call"): publish one message, or subscribe. */
export async function callAsyncApi(request: CallRequest, scope: CallScope): Promise<Json> {
  const args = request.with;
  const protocol = args["protocol"];
  if (typeof protocol === "string" && plainProtocol(protocol) === undefined)
    throw callError(
      "configuration",
      `the protocol ${protocol} is not offered by this build; ${SUPPORTED_ASYNCAPI_PROTOCOLS.join(" and ")} are`,
    );
  const message = objectAt(args, "message");
  const subscription = objectAt(args, "subscription");
  if ((message === undefined) === (subscription === undefined))
    throw callError("configuration", "either `message` or `subscription` must be given");

  const { root } = await readDocument(args["document"], "document", scope);
  const channel = findChannel(root, args, message !== undefined);
  const credentials = credentialsFor(request.authentication ?? objectAt(args, "authentication"), scope);
  return message !== undefined
    ? await publish(channel, message, credentials, scope)
    : await subscribe(channel, subscription!, request, credentials, scope);
}

function objectAt(args: JsonObject, name: string): JsonObject | undefined {
  const value = args[name];
  return isObject(value) ? (value as JsonObject) : undefined;
}
