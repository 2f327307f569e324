import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { credentialsFor } from "../authentication/credentials.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { checkDestination, hostName, place } from "../destination/check.ts";
import { CallError, callError } from "../error.ts";
import { textArgument } from "../http/arguments.ts";
import { grpc, protobuf } from "./library.ts";
import { loadProto } from "./proto.ts";
import { messageFromJson, messageToJson } from "./proto-json.ts";
import { statusError } from "./status.ts";

/** The DSL has no word for TLS: these ports, and no port at all, mean it; any other is plain HTTP/2. */
const TLS_PORTS = new Set([443, 8443]);

/** `call: grpc` (DSL reference, "gRPC Call"): one unary request. */
export async function callGrpc(request: CallRequest, scope: CallScope): Promise<Json> {
  const args = request.with;
  const service = isObject(args["service"]) ? (args["service"] as JsonObject) : {};
  const name = textArgument(service, "name");
  const method = findMethod(await loadProto(args["proto"], scope), name, textArgument(args, "method"));
  const input = method.resolvedRequestType!;
  const output = method.resolvedResponseType!;
  const message = input.fromObject(messageFromJson(input, args["arguments"] ?? {}));

  const url = serviceUrl(service);
  const own = isObject(service["authentication"]) ? (service["authentication"] as JsonObject) : undefined;
  const credentials = credentialsFor(request.authentication ?? own, scope);
  const path = `/${name.replace(/^\./, "")}/${method.name}`;
  const asked = { method: "POST", url: new URL(`http://${url.host}${path}`) };

  const client = await connect(url, scope);
  const stop = () => client.close();
  scope.signal.addEventListener("abort", stop, { once: true });
  try {
    await ready(client, url, scope);
    const send = async () => {
      const metadata = new grpc.Metadata();
      metadata.set("idempotency-key", scope.idempotencyKey);
      for (const [key, text] of Object.entries((await credentials?.headersFor(asked, scope)) ?? {}))
        metadata.set(key, text);
      scope.sent = "possible";
      return await unary(client, path, input.encode(message).finish(), metadata, scope);
    };
    const answer = await send().catch(async (error) => {
      // The gRPC word for 401: whoever was turned away at the door may come back with a new token, once.
      const isUnknown =
        error instanceof CallError && error.type === "authentication" && scope.sent === "possible";
      if (!isUnknown || !(await credentials?.renew?.(new Response(null, { status: 401 }), asked, scope)))
        throw error;
      return await send();
    });
    try {
      return messageToJson(output, output.decode(answer));
    } catch {
      throw callError("communication", `the answer is not a ${output.name}`);
    }
  } finally {
    scope.signal.removeEventListener("abort", stop);
    client.close();
  }
}

function findMethod(root: protobuf.Root, name: string, methodName: string): protobuf.Method {
  const service = root.lookup(name.split("."));
  if (!(service instanceof protobuf.Service))
    throw callError("configuration", `the proto has no service \`${name}\``);
  const method = service.methods[methodName];
  if (method === undefined) throw callError("configuration", `\`${name}\` has no method \`${methodName}\``);
  if (method.requestStream === true || method.responseStream === true)
    throw callError("configuration", `\`${methodName}\` streams; \`call: grpc\` makes unary calls`);
  return method.resolve() as protobuf.Method;
}

function serviceUrl(service: JsonObject): URL {
  const host = textArgument(service, "host");
  const port = service["port"] ?? 443;
  const scheme = TLS_PORTS.has(Number(port)) ? "grpcs" : "grpc";
  const url = /^[A-Za-z0-9.-]+$/.test(host) ? URL.parse(`${scheme}://${host}:${port}`) : null;
  if (url === null || url.port === "") throw callError("configuration", "`host` or `port` is not one");
  return url;
}

/** A channel to the address that the policy admitted, under the name that the document wrote. */
async function connect(url: URL, scope: CallScope): Promise<grpc.Client> {
  const { addresses } = await checkDestination(url, scope);
  const host = hostName(url);
  const isIpv6 = addresses?.[0]?.includes(":") === true;
  const same = addresses?.filter((address) => address.includes(":") === isIpv6);
  const target =
    same === undefined
      ? `dns:${host}:${url.port}`
      : isIpv6
        ? `ipv6:${same.map((address) => `[${address}]:${url.port}`).join(",")}`
        : `ipv4:${same.map((address) => `${address}:${url.port}`).join(",")}`;
  const channel =
    url.protocol === "grpcs:"
      ? grpc.credentials.createSsl(scope.trust === undefined ? null : Buffer.from(scope.trust))
      : grpc.credentials.createInsecure();
  return new grpc.Client(target, channel, {
    "grpc.default_authority": `${host}:${url.port}`,
    ...(url.protocol === "grpcs:" ? { "grpc.ssl_target_name_override": host } : {}),
    "grpc.max_receive_message_length": LIMITS.callResponseBytes,
    // Whether to repeat a call is decided above, and a proxy would resolve the name again.
    "grpc.enable_retries": 0,
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
  });
}

/** Wait for the connection, so that one that never was is told apart from a request without an answer. */
async function ready(client: grpc.Client, url: URL, scope: CallScope): Promise<void> {
  const channel = client.getChannel();
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === grpc.connectivityState.READY) return;
    if (state === grpc.connectivityState.TRANSIENT_FAILURE || state === grpc.connectivityState.SHUTDOWN)
      throw callError("communication", `${place(url)}: no connection`, 503);
    await new Promise<void>((resolve) =>
      channel.watchConnectivityState(state, wallDeadline(scope), () => resolve()),
    );
    if (scope.signal.aborted) throw callError("timeout", "the call has ended");
  }
}

/** The library counts on the system's clock. */
function wallDeadline(scope: CallScope): number {
  return Date.now() + Math.max(0, scope.deadline - scope.clock.monotonic());
}

function unary(
  client: grpc.Client,
  path: string,
  bytes: Uint8Array,
  metadata: grpc.Metadata,
  scope: CallScope,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      (value: Uint8Array) => Buffer.from(value),
      (value: Buffer) => value,
      bytes,
      metadata,
      { deadline: wallDeadline(scope) },
      (error, value) => {
        if (error !== null) reject(statusError(error.code, error.details));
        else if (value === undefined) reject(callError("communication", "the gRPC server gave no message"));
        else resolve(value);
      },
    );
    scope.signal.addEventListener("abort", () => call.cancel(), { once: true });
  });
}
