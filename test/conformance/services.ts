import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { allowAll } from "../../src/calls/index.ts";
import type { HostCalls } from "../../src/host/host.ts";

const PROTO = `syntax = "proto3";
package GreeterApi;
message HelloRequest { string name = 1; }
message HelloReply { string message = 1; }
service Greeter { rpc SayHello (HelloRequest) returns (HelloReply); }
`;
/** As the example names it. */
const GRPC_PORT = 5011;

export interface Services {
  /** What calls need beside the stand-in for HTTP. */
  readonly calls: HostCalls;
  /** The program in the place of what `npx` would fetch. */
  readonly npx: string;
  /** Where WebSockets are answered, `host:port`. */
  readonly sockets: string;
  stop(): Promise<void>;
}

/** The services of the examples that HTTP alone does not stand in for: gRPC, WebSockets, and a program that `npx` brings. */
export async function openServices(withGreeter: boolean): Promise<Services> {
  const directory = mkdtempSync(join(tmpdir(), "services-"));
  mkdirSync(join(directory, "app"));
  writeFileSync(join(directory, "app", "greet.proto"), PROTO);
  const npx = join(directory, "npx");
  writeFileSync(npx, `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dir, "mcp-slack.ts")}'\n`);
  chmodSync(npx, 0o755);

  const web = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 426 })),
    websocket: {
      open(socket) {
        for (let n = 0; n < 6; n++) socket.send(JSON.stringify({ n }));
      },
      message() {},
    },
  });
  const greeter = withGreeter ? await greet() : null;
  return {
    npx,
    sockets: `127.0.0.1:${web.port}`,
    calls: {
      policy: allowAll,
      files: { base: directory, within: directory },
      resolveHost: async (name) => [name === "localhost" ? "127.0.0.1" : "192.0.2.1"],
    },
    async stop() {
      greeter?.forceShutdown();
      await web.stop(true);
      rmSync(directory, { recursive: true });
    },
  };
}

async function greet(): Promise<grpc.Server> {
  const types = protobuf.parse(PROTO).root;
  const [Ask, Answer] = ["HelloRequest", "HelloReply"].map((name) => types.lookupType(`GreeterApi.${name}`));
  const bytes = (value: Buffer) => value;
  const method = {
    path: "/GreeterApi.Greeter/SayHello",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const server = new grpc.Server();
  server.addService(
    { SayHello: method },
    {
      SayHello(call: { request: Buffer }, done: grpc.sendUnaryData<Buffer>) {
        const { name } = Ask!.toObject(Ask!.decode(call.request)) as { name: string };
        done(null, Buffer.from(Answer!.encode(Answer!.fromObject({ message: `Hello ${name}` })).finish()));
      },
    },
  );
  // The port is the example's own; another run of this test on the machine lets go of it soon.
  const bind = () =>
    new Promise<Error | null>((resolve) =>
      server.bindAsync(`127.0.0.1:${GRPC_PORT}`, grpc.ServerCredentials.createInsecure(), resolve),
    );
  let problem = await bind();
  for (let tries = 0; problem !== null && tries < 20; tries++) {
    await Bun.sleep(250);
    problem = await bind();
  }
  if (problem !== null) throw problem;
  return server;
}

/** The description at the address that the examples name; `sockets` is where its WebSocket server is. */
export function asyncApi(sockets: string): object {
  const message = { $ref: "#/channels/notifications" };
  return {
    asyncapi: "3.0.0",
    info: { title: "Notifications", version: "1.0.0" },
    servers: {
      web: { host: "fake.com", protocol: "http" },
      staging: { host: "staging.fake.com", protocol: "http" },
      live: { host: sockets, protocol: "ws" },
    },
    channels: { notifications: { address: "/notifications" } },
    operations: {
      findPetsByStatus: { action: "send", channel: message },
      getNotifications: { action: "receive", channel: message },
    },
  };
}
