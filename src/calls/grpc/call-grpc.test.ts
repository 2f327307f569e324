import { afterAll, beforeAll, expect, test } from "bun:test";
import * as grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";
import type { Json, JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import type { ResourceEndpoint } from "../call.ts";
import { denyPrivate } from "../destination/policy.ts";
import { executeCall } from "../execute.ts";
import { testCertificates } from "../testing/certificates.ts";
import { errorOf, namesOf, testContext, testRequest } from "../testing/context.ts";

const MAIN = `
syntax = "proto3";
package pets.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "kinds/kind.proto";
message Toy { string toy_name = 1; }
message Pet {
  int64 pet_id = 1;
  string name = 2;
  Kind kind = 3;
  repeated Toy toys = 4;
  map<string, int32> ages = 5;
  bytes photo = 6;
  google.protobuf.Timestamp born = 7;
  google.protobuf.StringValue nick = 8;
  google.protobuf.Struct extra = 9;
  oneof place { string street = 10; uint32 box = 11; }
  double weight = 12;
}
message Ask { int32 code = 1; string text = 2; }
message Answer { string text = 1; string authority = 2; string authorization = 3; string key = 4; }
service Pets {
  rpc Echo (Pet) returns (Pet);
  rpc Fail (Ask) returns (Answer);
  rpc Seen (Ask) returns (Answer);
  rpc Sleep (Ask) returns (Answer);
  rpc Large (Ask) returns (Answer);
  rpc Watch (Ask) returns (stream Answer);
}
`;
const FILES: Record<string, string> = {
  "file://app/pets.proto": MAIN,
  "file://app/kinds/kind.proto": 'syntax = "proto3"; package pets.v1; enum Kind { UNKNOWN = 0; CAT = 1; }',
  "file://app/bad.proto": "message {",
  "file://app/missing.proto": 'syntax = "proto3"; message A { B b = 1; }',
  "file://app/import.proto": 'syntax = "proto3"; import "nowhere.proto";',
};
const readResource = async (endpoint: ResourceEndpoint) => {
  const text = FILES[typeof endpoint === "string" ? endpoint : endpoint.uri];
  if (text === undefined) throw new Error("missing");
  return Buffer.from(text);
};

const certificates = testCertificates("pets.test");
const servers: grpc.Server[] = [];
let plain = 0;
let secure = 0;

async function listen(credentials: grpc.ServerCredentials): Promise<number> {
  const bytes = (value: Buffer) => value;
  const method = (name: string) => ({
    path: `/pets.v1.Pets/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  });
  const Ask = types.lookupType("Ask");
  const Answer = types.lookupType("Answer");
  const answer = (value: object) => Buffer.from(Answer.encode(Answer.fromObject(value)).finish());
  const server = new grpc.Server();
  const names = ["Echo", "Fail", "Seen", "Sleep", "Large"];
  server.addService(Object.fromEntries(names.map((name) => [name, method(name)])), {
    Echo: (call: { request: Buffer }, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
    Fail: (call: { request: Buffer }, done: grpc.sendUnaryData<Buffer>) => {
      const ask = Ask.toObject(Ask.decode(call.request)) as { code: number; text: string };
      done({ code: ask.code, details: ask.text });
    },
    Seen: (call: { metadata: grpc.Metadata; getHost(): string }, done: grpc.sendUnaryData<Buffer>) =>
      done(
        null,
        answer({
          text: "seen",
          authority: call.getHost(),
          authorization: String(call.metadata.get("authorization")[0] ?? ""),
          key: String(call.metadata.get("idempotency-key")[0] ?? ""),
        }),
      ),
    Sleep: () => {},
    Large: (_: unknown, done: grpc.sendUnaryData<Buffer>) =>
      done(null, answer({ text: "x".repeat(LIMITS.callResponseBytes + 1) })),
  });
  servers.push(server);
  return await new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port))),
  );
}

const types = protobuf
  .parse(MAIN.replace('import "kinds/kind.proto";', "enum Kind { UNKNOWN = 0; CAT = 1; }"), {
    keepCase: true,
  })
  .root.lookup("pets.v1") as protobuf.Namespace;

beforeAll(async () => {
  plain = await listen(grpc.ServerCredentials.createInsecure());
  const { cert, key } = certificates.of["pets.test"]!;
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  secure = await listen(grpc.ServerCredentials.createSsl(null, [pair]));
});
afterAll(() => {
  for (const server of servers) server.forceShutdown();
});

const request = (
  method: string,
  args: JsonObject = {},
  service: JsonObject = {},
  proto = "file://app/pets.proto",
) =>
  testRequest("grpc", {
    proto: { endpoint: proto },
    service: { name: "pets.v1.Pets", host: "localhost", port: plain, ...service },
    method,
    arguments: args,
  });
const context = (parts = {}) => testContext({ readResource, ...parts });
const call = (...args: Parameters<typeof request>) => executeCall(request(...args), context());

test("every kind of field goes there and back in its JSON form, names in both spellings", async () => {
  const pet = {
    petId: "9007199254740993",
    name: "Tom",
    kind: "CAT",
    toys: [{ toyName: "ball" }],
    ages: { me: 3 },
    photo: "AP8=",
    born: "2024-02-29T12:00:00.250Z",
    nick: "T",
    extra: { a: [1, null, { b: true }] },
    box: 7,
    weight: 4.5,
  };
  expect(await call("Echo", pet)).toEqual(pet);
  expect(await call("Echo", { pet_id: 5, toys: [{ toy_name: "x" }] })).toEqual({
    petId: "5",
    name: "",
    kind: "UNKNOWN",
    toys: [{ toyName: "x" }],
    ages: {},
    photo: "",
    born: null,
    nick: null,
    extra: null,
    weight: 0,
  });
});

test("an argument that does not fit its field is named", async () => {
  for (const [args, path] of <[JsonObject, string][]>[
    [{ nothing: 1 }, "nothing"],
    [{ name: 5 }, "name"],
    [{ petId: "x" }, "petId"],
    [{ petId: "9223372036854775808" }, "petId"],
    [{ box: -1 }, "box"],
    [{ kind: "DOG" }, "kind"],
    [{ toys: {} }, "toys"],
    [{ toys: [{ toyName: [] }] }, "toys[0].toyName"],
    [{ ages: { me: 1.5 } }, "ages.me"],
    [{ photo: "?" }, "photo"],
    [{ born: "yesterday" }, "born"],
  ]) {
    const error = await errorOf(request("Echo", args), context());
    expect([args, error.type, error.sent]).toEqual([args, "validation", "none"]);
    expect(error.detail).toContain(`\`${path}\``);
  }
});

test("a status becomes the error of its kind", async () => {
  for (const [code, type, status] of [
    [3, "validation", 400],
    [5, "communication", 404],
    [7, "authorization", 403],
    [12, "communication", 501],
    [13, "communication", 500],
    [16, "authentication", 401],
  ] as const) {
    const error = await errorOf(request("Fail", { code, text: "because" }), context());
    expect(error).toMatchObject({ type, status, sent: "possible" });
    expect(error.detail).toContain("because");
  }
});

test("the name, the credentials and the idempotency key arrive", async () => {
  const authentication = { bearer: { token: "hidden-token" } };
  expect(await executeCall({ ...request("Seen"), authentication }, context())).toMatchObject({
    authority: `localhost:${plain}`,
    authorization: "Bearer hidden-token",
    key: "attempt-1",
  });
  const echoed = { ...request("Fail", { code: 13, text: "got hidden-token" }), authentication };
  expect((await errorOf(echoed, context())).detail).not.toContain("hidden-token");
});

test("a token that the service refuses is replaced once", async () => {
  let tokens = 0;
  const issuer = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ access_token: `token-${++tokens}`, token_type: "Bearer", expires_in: 3600 }),
  });
  const authentication = {
    oauth2: {
      authority: issuer.url.href,
      grant: "client_credentials",
      client: { id: "me", secret: "hidden" },
    },
  };
  const refused = { ...request("Fail", { code: 16 }), authentication };
  expect(await errorOf(refused, context())).toMatchObject({ type: "authentication" });
  expect(tokens).toBe(2);
  await issuer.stop(true);
});

test("deadline, oversize answers and a server that is not there", async () => {
  const late = { ...request("Sleep"), timeoutMs: 300 };
  expect(await errorOf(late, context())).toMatchObject({ type: "timeout", status: 408, sent: "possible" });
  expect(await errorOf(request("Large"), context())).toMatchObject({ type: "communication", status: 429 });
  const nobody = await errorOf(request("Seen", {}, { port: 1 }), context());
  expect(nobody).toMatchObject({ type: "communication", status: 503, sent: "none" });
});

test("the checked address is the one that is connected to, plain and with TLS", async () => {
  const policy = { ...denyPrivate, allow: ["*.test"] };
  // An address of this process's own, since the port that means TLS cannot be chosen.
  const own = `127.${1 + (process.pid % 250)}.${(process.pid >> 8) % 250}.1`;
  const resolveHost = namesOf({ "pets.test": [own, "127.0.0.1"], "evil.test": [own] });
  const pinned = context({ policy, resolveHost, trust: certificates.ca });
  const at = (host: string, port: number) => request("Seen", {}, { host, port });
  expect(await executeCall(at("pets.test", plain), pinned)).toMatchObject({
    authority: `pets.test:${plain}`,
  });
  for (const host of ["localhost", "127.0.0.1", "2130706433", "0x7f.1"])
    expect(await errorOf(at(host, plain), context({ policy: denyPrivate }))).toMatchObject({
      type: expect.stringMatching(/^(?:authorization|communication)$/) as unknown as string,
      sent: "none",
    });

  const forward = Bun.listen<{ other?: Bun.Socket }>({
    hostname: own,
    port: 8443,
    socket: {
      open(socket) {
        socket.data = {};
        void Bun.connect({
          hostname: "127.0.0.1",
          port: secure,
          socket: { data: (_, data) => void socket.write(data), close: () => void socket.end() },
        }).then((other) => {
          socket.data.other = other;
        });
      },
      async data(socket, data) {
        while (socket.data.other === undefined) await Bun.sleep(1);
        socket.data.other.write(data);
      },
      close: (socket) => void socket.data.other?.end(),
    },
  });
  try {
    expect(await executeCall(at("pets.test", 8443), pinned)).toMatchObject({ authority: "pets.test:8443" });
    expect(await errorOf(at("evil.test", 8443), pinned)).toMatchObject({
      type: "communication",
      sent: "none",
    });
    const untrusted = context({ policy, resolveHost });
    expect(await errorOf(at("pets.test", 8443), untrusted)).toMatchObject({
      type: "communication",
      sent: "none",
    });
  } finally {
    forward.stop(true);
  }
});

test("what the proto does not have, or a call does not do, is refused", async () => {
  for (const args of [
    request("Nothing"),
    request("Watch"),
    request("Seen", {}, { name: "pets.v1.Other" }),
    request("Seen", {}, { host: "a b" }),
    request("Seen", {}, {}, "file://app/bad.proto"),
    request("Seen", {}, {}, "file://app/missing.proto"),
    request("Seen", {}, {}, "file://app/import.proto"),
    request("Seen", {}, {}, "file://app/none.proto"),
  ])
    expect([(args.with as Record<string, Json>)["proto"], (await errorOf(args, context())).type]).toEqual([
      (args.with as Record<string, Json>)["proto"],
      "configuration",
    ]);
});
