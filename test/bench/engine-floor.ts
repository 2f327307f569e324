/**
 * The floor of `bench engine`: what a durable one-task workflow cannot do without. A start commits an instance with its effect's
 * marker, the call goes out, and its answer is committed; both through one group-commit queue at synchronous=FULL. No schema,
 * policy, engine, history or audit. `PUT /` answers as the service that is called. Prints its port.
 */
import { openFloor } from "./floor-store.ts";

const { db, commit } = openFloor(process.argv[2]!);
db.run(
  "CREATE TABLE instance (id TEXT PRIMARY KEY, state TEXT, input TEXT, output TEXT, created INTEGER) STRICT",
);
db.run("CREATE TABLE effect (instance TEXT PRIMARY KEY, marker TEXT, request TEXT) STRICT");

const insert = db.query("INSERT INTO instance VALUES (?, 'waiting', ?, NULL, ?)");
const mark = db.query("INSERT INTO effect VALUES (?, 'possible', ?)");
const confirm = db.query("UPDATE effect SET marker = 'confirmed' WHERE instance = ?");
const end = db.query("UPDATE instance SET state = 'done', output = ? WHERE id = ?");
const ended = new Map<string, { promise: Promise<void>; resolve: () => void }>();

async function start(request: Request): Promise<Response> {
  const { input, service } = (await request.json()) as { input: unknown; service: string };
  const id = Bun.randomUUIDv7();
  await commit(() => {
    insert.run(id, JSON.stringify(input), Date.now());
    mark.run(id, service);
  });
  ended.set(id, Promise.withResolvers<void>());
  void call(id, service);
  return Response.json({ id }, { status: 202 });
}

async function call(id: string, service: string): Promise<void> {
  const answer = await (
    await fetch(service, { method: "POST", body: "{}", headers: { "idempotency-key": id } })
  ).text();
  await commit(() => {
    confirm.run(id);
    end.run(answer, id);
  });
  ended.get(id)!.resolve();
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    if (request.method === "POST") return await start(request);
    const id = new URL(request.url).pathname.slice(1);
    await ended.get(id)?.promise;
    ended.delete(id);
    return Response.json({ id, status: "succeeded" });
  },
});
console.log(server.port);
