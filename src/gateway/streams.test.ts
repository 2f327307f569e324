import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gateway, type TestGateway } from "../../test/support/gateway.ts";
import { appendLines, putArtifact, runIdOf } from "../../test/support/history.ts";
import { prerequisite } from "../../test/support/require.ts";
import { until } from "../../test/support/until.ts";
import { systemClock } from "../base/clock.ts";
import { decodeFrame, FRAME_SCHEMA } from "../stream/index.ts";
import { Feeds } from "./streams/feed.ts";
import { eventStream } from "./streams/sse.ts";

interface Message {
  id: string;
  event: string;
  data: never;
}

/** The messages of an event stream until `enough` says so, or its end. */
async function messages(
  response: Response,
  enough: (all: Message[]) => boolean = () => false,
): Promise<Message[]> {
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toStartWith("text/event-stream");
  const all: Message[] = [];
  let text = "";
  for await (const part of response.body!) {
    text += Buffer.from(part as Uint8Array).toString();
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      text = text.slice(end + 2);
      if (fields["data"] !== undefined) {
        all.push({ id: fields["id"]!, event: fields["event"]!, data: JSON.parse(fields["data"]) as never });
      }
    }
    if (enough(all)) break;
  }
  return all;
}

/** A grey BMP, by hand. */
function bitmap(width: number, height: number): Buffer {
  const bmp = Buffer.alloc(54 + width * height * 3, 0x80);
  bmp.fill(0, 0, 54);
  bmp.write("BM");
  const fields = [
    [2, bmp.length],
    [10, 54],
    [14, 40],
    [18, width],
    [22, height],
    [26, 1 | (24 << 16)],
  ] as const;
  for (const [at, value] of fields) bmp.writeUInt32LE(value, at);
  return bmp;
}

const seqs = (all: Message[]) => all.filter(({ event }) => event !== "end").map(({ id }) => Number(id));
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, at) => first + at);

async function slowRun(g: TestGateway): Promise<number> {
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.slow", run_id: "r" } });
  const { events } = (await g.json("/runs/r/events")).body as { events: unknown[] };
  return events.length;
}

test("a stream gives what stands and what comes, resumes without a gap or a repeat, and says why it ends", async () => {
  const g = await gateway();
  const standing = await slowRun(g);
  const first = messages(await g.fetch("/runs/r/stream"), (all) => all.length >= standing + 5);
  await appendLines(g.host, "r", 5);
  expect(seqs(await first)).toEqual(upTo(standing + 5));
  const header = { "last-event-id": String(standing + 2) };
  const rest = messages(await g.fetch("/runs/r/stream?after=1", { headers: header }));
  await appendLines(g.host, "r", 700);
  await g.json("/runs/r/cancel", { json: {} });
  const all = await rest;
  expect(seqs(all)).toEqual(upTo(Number(all.at(-2)!.id), standing + 3));
  expect(all.at(-1)).toMatchObject({
    event: "end",
    data: { reason: "finished", after: Number(all.at(-2)!.id) },
  });
  expect(all[0]!.data as unknown).toEqual(
    ((await g.json(`/runs/r/events?after=${standing + 2}&limit=1`)).body as { events: unknown[] }).events[0],
  );
});

test("a position that cannot be gone on after is refused before the stream begins", async () => {
  const g = await gateway();
  const last = await slowRun(g);
  const refused = async (path: string, headers: Record<string, string> = {}) => {
    const response = await g.fetch(path, { headers });
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  expect(await refused("/runs/r/stream", { "last-event-id": String(last + 1) })).toEqual([
    400,
    "invalid_request",
  ]);
  expect(await refused("/runs/r/stream", { "last-event-id": "-1" })).toEqual([400, "invalid_request"]);
  expect(await refused("/runs/r/stream", { "last-event-id": "9".repeat(40) })).toEqual([
    400,
    "invalid_request",
  ]);
  expect(await refused("/runs/r/stream?after=x")).toEqual([400, "invalid_request"]);
  expect(await refused("/runs/r/stream?format=flatbuffers")).toEqual([400, "invalid_request"]);
  expect(await refused("/runs/r/stream", { upgrade: "websocket", connection: "upgrade" })).toEqual([
    400,
    "invalid_request",
  ]);
  expect(await refused("/runs/none/stream")).toEqual([404, "not_found"]);
});

test("a hundred followers get every event once while the store is read once for all of them", async () => {
  const g = await gateway();
  const standing = await slowRun(g);
  const { views } = g.host.context;
  const answers = await Promise.all(upTo(100).map(() => g.fetch("/runs/r/stream")));
  const caughtUp = new Set<Message[]>();
  const note = (all: Message[]) => {
    if (all.length >= standing) caughtUp.add(all);
    return false;
  };
  const reading = Promise.all(answers.map((answer) => messages(answer, note)));
  await until(
    () => caughtUp.size === 100,
    () => caughtUp.size,
  );
  let reads = 0;
  const read = views.read.bind(views);
  views.read = (query, input) => {
    if (query.name === "listEvents") reads++;
    return read(query, input);
  };
  for (let at = 0; at < 20; at++) await appendLines(g.host, "r", 1);
  await g.json("/runs/r/cancel", { json: {} });
  const all = await reading;
  views.read = read;
  for (const each of all) {
    expect(seqs(each)).toEqual(upTo(seqs(each).length));
    expect(seqs(each).length).toBeGreaterThanOrEqual(standing + 20);
    expect(each.at(-1)!.event).toBe("end");
  }
  // A reading and the look whether there is more, for each hint at most.
  expect(reads).toBeLessThan(80);
});

test("when the server stops, streams end with the reason and a request that waits is answered", async () => {
  const g = await gateway();
  await slowRun(g);
  const stream = messages(await g.fetch("/runs/r/stream"));
  const socket = new WebSocket(`${g.url.replace("http", "ws")}/runs/r/stream`);
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const { views } = g.host.context;
  const listen = views.listen.bind(views);
  const listening = new Promise<void>((resolve) => {
    views.listen = (listener) => {
      resolve();
      return listen(listener);
    };
  });
  const waiting = g.json("/runs/r/wait?wait_ms=20000");
  await listening;
  await g.stop();
  expect((await stream).at(-1)).toMatchObject({ event: "end", data: { reason: "stopping" } });
  expect(await closed).toMatchObject({ code: 1001, reason: "stopping" });
  expect(await waiting).toMatchObject({ status: 200, body: { status: "running" } as never });
});

test("a WebSocket carries the same events, as JSON or as frames, and what it may not send ends it", async () => {
  const g = await gateway();
  const standing = await slowRun(g);
  const open = (query = "") => {
    const socket = new WebSocket(`${g.url.replace("http", "ws")}/runs/r/stream${query}`);
    socket.binaryType = "arraybuffer";
    const received: unknown[] = [];
    socket.addEventListener("message", ({ data }) => received.push(data));
    const ready = new Promise((resolve) => socket.addEventListener("open", resolve));
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
    return { socket, received, ready, closed };
  };
  const bad = [
    [new Uint8Array([1, 2]), 1003],
    ["hello", 1008],
    ["x".repeat(2000), 1009],
  ] as const;
  for (const [message, code] of bad) {
    const { socket, ready, closed } = open();
    await ready;
    socket.send(message);
    const { code: told } = await closed;
    // An oversize message is cut off by the protocol machine, which may not say why.
    expect([code, ...(code === 1009 ? [1006] : [])]).toContain(told);
  }
  const png = await new Bun.Image(bitmap(4, 2)).png().bytes();
  await putArtifact(g.host, "r", "a.png", "image/png", png);
  const json = open(`?after=${standing - 1}`);
  const frames = open("?format=flatbuffers");
  await Promise.all([json.ready, frames.ready]);
  await appendLines(g.host, "r", 3);
  await g.json("/runs/r/cancel", { json: {} });
  expect(await json.closed).toMatchObject({ code: 1000, reason: "finished" });
  await frames.closed;
  const lines = json.received.map((text) => JSON.parse(text as string) as { seq: number });
  expect(lines.map(({ seq }) => seq)).toEqual(upTo(lines.at(-1)!.seq, standing));
  const decoded = frames.received.map((data) => decodeFrame(new Uint8Array(data as ArrayBuffer)));
  expect(decoded.every(({ runId }) => runId === "r")).toBe(true);
  const of = (wanted: string) => decoded.filter(({ kind }) => kind === wanted);
  expect(of("RunEvent").map(({ sequence }) => sequence)).toEqual(upTo(lines.at(-1)!.seq));
  expect(JSON.parse(of("RunEvent").at(-1)!.payload)).toEqual(lines.at(-1));
  const trace = ((await g.json("/runs/r/trace")).body as { lines: unknown[] }).lines;
  expect(of("RunTrace").map(({ payload }) => JSON.parse(payload) as unknown)).toEqual(trace);
  expect(of("Preview")).toMatchObject([
    { status: "a.png", image: { width: 4, height: 2, mediaType: "image/webp" } },
  ]);
});

test("a snapshot is decoded by the slot table of the first interface, and by flatc with our schema", async () => {
  const g = await gateway();
  await slowRun(g);
  const response = await g.fetch("/runtime/streams/r/snapshot.fb");
  expect(response.headers.get("content-type")).toBe("application/vnd.lightflow.runtime-frame+flatbuffers");
  expect(response.headers.get("x-lightflow-flatbuffers-file-identifier")).toBe("LFRS");
  const bytes = await response.bytes();

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  expect(Buffer.from(bytes.slice(4, 8)).toString()).toBe("LFRS");
  const table = view.getUint32(0, true);
  const vtable = table - view.getInt32(table, true);
  const field = (slot: number) => {
    const offset = slot < view.getUint16(vtable, true) ? view.getUint16(vtable + slot, true) : 0;
    return offset === 0 ? null : table + offset;
  };
  const text = (slot: number) => {
    const at = field(slot)!;
    const start = at + view.getUint32(at, true);
    return Buffer.from(bytes.slice(start + 4, start + 4 + view.getUint32(start, true))).toString();
  };
  expect(field(4)).toBeNull();
  expect(view.getUint8(field(6)!)).toBe(1);
  expect([text(8), text(10)]).toEqual(["r", "running"]);
  expect(Math.abs(Number(view.getBigUint64(field(14)!, true)) - systemClock.wall())).toBeLessThan(60_000);
  const payload = JSON.parse(text(16)) as Record<string, never>;
  expect(Object.keys(payload)).toEqual(["events_jsonl", "status", "trace_jsonl"]);
  expect(payload["status"] as unknown).toMatchObject({
    run_id: "r",
    status: "running",
    total_steps: 1,
    submitted_steps: 1,
  });

  if (!prerequisite("flatc", Bun.which("flatc") !== null, "flatc of flatbuffers-compiler is missing")) return;
  const directory = mkdtempSync(join(tmpdir(), "flatc-"));
  writeFileSync(join(directory, "lightflow.fbs"), FRAME_SCHEMA);
  writeFileSync(join(directory, "run.fb"), bytes);
  const flatc = Bun.spawnSync([
    "flatc",
    "--json",
    "--strict-json",
    "-o",
    directory,
    join(directory, "lightflow.fbs"),
    "--",
    join(directory, "run.fb"),
  ]);
  expect(flatc.stderr.toString() + flatc.stdout.toString()).toBe("");
  expect(await Bun.file(join(directory, "run.json")).json()).toMatchObject({
    kind: "RunSnapshot",
    run_id: "r",
    status: "running",
    payload_json: text(16),
  });
  rmSync(directory, { recursive: true });
});

test("a picture among the artifacts comes small as a frame; anything else is refused", async () => {
  const g = await gateway();
  await slowRun(g);
  const png = await new Bun.Image(bitmap(600, 300)).png().bytes();
  const picture = await putArtifact(g.host, "r", "a.png", "image/png", png);
  const broken = await putArtifact(g.host, "r", "b.png", "image/png", Buffer.from("not a picture"));
  const text = await putArtifact(g.host, "r", "c.txt", "text/plain", Buffer.from("text"));
  const frame = decodeFrame(await (await g.fetch(`/runtime/streams/r/previews/${picture}`)).bytes());
  expect(frame).toMatchObject({
    kind: "Preview",
    runId: "r",
    image: { mediaType: "image/webp", width: 512, height: 256 },
  });
  expect((await new Bun.Image(frame.image!.bytes).metadata()).width).toBe(512);
  for (const other of [broken, text])
    expect((await g.fetch(`/runtime/streams/r/previews/${other}`)).status).toBe(422);
  expect((await g.fetch(`/runtime/streams/r/previews/${"0".repeat(64)}`)).status).toBe(404);
});

test("a reader that stops reading keeps nobody waiting and holds no memory", async () => {
  const g = await gateway();
  await slowRun(g);
  const { hostname, port } = new URL(g.url);
  const stopped = connect(Number(port), hostname);
  stopped.write(`GET /runs/r/stream HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  stopped.pause();
  await Bun.sleep(50);
  const before = process.memoryUsage().rss;
  const reading = messages(await g.fetch("/runs/r/stream"));
  for (let at = 0; at < 40; at++) await appendLines(g.host, "r", 50, "x".repeat(2000));
  await g.json("/runs/r/cancel", { json: {} });
  const all = await reading;
  expect(seqs(all)).toEqual(upTo(all.length - 1));
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(100);
  stopped.destroy();
  expect(runIdOf(g.host, "r")).toBeString();
});

test("a reader that takes nothing is cut off, a quiet stream has its heartbeats, and the others go on", async () => {
  const g = await gateway();
  await slowRun(g);
  const feeds = new Feeds(g.host.context.views, { heartbeatMs: 20, stalledMs: 60, tickMs: 10 });
  const id = runIdOf(g.host, "r");
  const stopped = eventStream(feeds, feeds.open(id, "r"), 0).body!.getReader();
  const reading = eventStream(feeds, feeds.open(id, "r"), 0).body!.getReader();
  let text = "";
  // It takes what comes at every moment: a reader that is busy elsewhere for long is one that takes nothing.
  const pump = (async () => {
    for (let part = await reading.read(); !part.done; part = await reading.read()) {
      text += Buffer.from(part.value).toString();
    }
  })();
  const sees = (what: string) =>
    until(
      () => text.includes(what),
      () => text,
    );
  await sees(": still here");
  await appendLines(g.host, "r", 1);
  await sees("event: test.line");
  await until(() => feeds.followers === 1);
  let late = "";
  for (let part = await stopped.read(); !part.done; part = await stopped.read()) {
    late += Buffer.from(part.value).toString();
  }
  expect(late).toEndWith('event: end\ndata: {"reason":"slow","after":0}\n\n');
  await reading.cancel();
  await pump;
  expect(feeds.followers).toBe(0);
  feeds.stop();
});
