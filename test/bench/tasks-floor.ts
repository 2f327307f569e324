/**
 * The floor of `bench tasks`: create, claim and complete over a bare `Bun.serve`, each durable through one group-commit
 * queue at synchronous=FULL. No authentication, policy, schema, workflow or history. Prints its port.
 */
import { openFloor } from "./floor-store.ts";

const { db, commit } = openFloor(process.argv[2]!);
db.run(
  "CREATE TABLE task (id TEXT PRIMARY KEY, state TEXT, payload TEXT, created INTEGER) STRICT, WITHOUT ROWID",
);
db.run("CREATE INDEX pending ON task (created) WHERE state = 'pending'");
db.run("CREATE TABLE audit (seq INTEGER PRIMARY KEY, task TEXT, what TEXT) STRICT");

const insert = db.query("INSERT INTO task VALUES (?, 'pending', ?, ?)");
const claim = db.query(
  "UPDATE task SET state = 'leased' WHERE id = (SELECT id FROM task WHERE state = 'pending' ORDER BY created LIMIT 1) RETURNING id, payload",
);
const complete = db.query("UPDATE task SET state = 'done' WHERE id = ? AND state = 'leased'");
const audit = db.query("INSERT INTO audit (task, what) VALUES (?, ?)");

const server = Bun.serve({
  port: 0,
  routes: {
    "/create": {
      POST: async (request) => {
        const payload = await request.text();
        const id = Bun.randomUUIDv7();
        await commit(() => {
          insert.run(id, payload, Date.now());
          audit.run(id, "created");
        });
        return Response.json({ id });
      },
    },
    "/claim": {
      POST: async () => {
        const row = await commit(() => {
          const found = claim.all()[0] as { id: string } | undefined;
          if (found !== undefined) audit.run(found.id, "leased");
          return found;
        });
        return Response.json(row ?? null);
      },
    },
    "/complete": {
      POST: async (request) => {
        const { id } = (await request.json()) as { id: string };
        await commit(() => {
          complete.run(id);
          audit.run(id, "done");
        });
        return Response.json({ ok: true });
      },
    },
  },
});
console.log(server.port);
