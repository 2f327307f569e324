/** Follows one run over many connections; after its time it prints what came: lines, order, lags in milliseconds. */
import { connect } from "node:net";

const [url, count, stopped] = process.argv.slice(2) as [string, string, string];
const { hostname, port } = new URL(url);
const request = `GET /runs/r/stream HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`;
const lags: number[] = [];
const followers = Array.from({ length: Number(count) }, () => ({
  last: 0,
  lines: 0,
  disordered: 0,
  rest: "",
}));
let open = 0;

for (const follower of followers) {
  const socket = connect(Number(port), hostname, () => {
    socket.write(request);
    open++;
  });
  socket.setEncoding("latin1");
  socket.on("data", (text: unknown) => {
    const now = Date.now();
    const all = follower.rest + String(text);
    let from = 0;
    for (;;) {
      const at = all.indexOf("\nid: ", from);
      const end = at < 0 ? -1 : all.indexOf("\n\n", at + 5);
      if (end < 0) break;
      const id = Number.parseInt(all.slice(at + 5, at + 16), 10);
      if (id !== follower.last + 1) follower.disordered++;
      follower.last = id;
      follower.lines++;
      const written = all.indexOf('"text":"', at);
      if (written > 0 && written < end) lags.push(now - Number(all.slice(written + 8, written + 21)));
      from = end;
    }
    follower.rest = all.slice(from);
  });
}
/** Connections that are opened and never read. */
for (let at = 0; at < Number(stopped); at++) {
  const socket = connect(Number(port), hostname, () => socket.write(request));
  socket.pause();
}
while (open < followers.length) await Bun.sleep(20);
await Bun.sleep(500);
console.log("ready");
for await (const _ of console) break;
lags.sort((one, other) => one - other);
const quantile = (share: number) => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? 0;
console.log(
  JSON.stringify({
    lines: followers.reduce((sum, { lines }) => sum + lines, 0),
    fewest: Math.min(...followers.map(({ last }) => last)),
    disordered: followers.reduce((sum, { disordered }) => sum + disordered, 0),
    p50: quantile(0.5),
    p99: quantile(0.99),
    worst: quantile(1),
  }),
);
process.exit(0);
