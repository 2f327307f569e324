/**
 * The floor of `bench gateway`: a bare Elysia server. `GET /run` answers given bytes; `POST /run` validates its body and
 * inserts one row, durable through a group commit at synchronous=FULL as ours is. Prints its port.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { openFloor } from "./floor-store.ts";

const [path, answer] = process.argv.slice(2) as [string, string];
const { db, commit } = openFloor(path);
db.run("CREATE TABLE run (id TEXT PRIMARY KEY, body TEXT, created INTEGER) STRICT");
const insert = db.query("INSERT INTO run VALUES (?, ?, ?)");

const Body = Type.Object(
  { workflow_asset_id: Type.String({ minLength: 1, maxLength: 256 }), inputs: Type.Optional(Type.Unknown()) },
  { additionalProperties: false },
);

const app = new Elysia({ normalize: false })
  .get("/run/:id", () => new Response(answer, { headers: { "content-type": "application/json" } }))
  .post(
    "/run",
    async ({ body }) => {
      const id = Bun.randomUUIDv7();
      await commit(() => insert.run(id, JSON.stringify(body), Date.now()));
      return { run_id: id };
    },
    { body: Body },
  )
  .listen({ port: 0, hostname: "127.0.0.1", reusePort: false });
console.log(app.server!.port);
