import { readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "../base/files.ts";
import type { Store, Topic } from "../store/index.ts";

const TOPICS: readonly Topic[] = [
  "request",
  "result",
  "instance",
  "ended",
  "event",
  "log",
  "timer",
  "session",
  "slot",
  "call",
  "inbox",
  "schedule",
  "policy",
];
const NAME = /^wake-\d+\.sock$/;
/** New peers are looked for this often. */
const LOOK_MS = 500;
/** The truth is read at least this often, whatever messages were lost. */
const BACKSTOP_MS = 250;

type Peer = Awaited<ReturnType<typeof Bun.connect>>;

/**
 * Processes that share one store tell each other what changed: a line `topic key` on the Unix socket of each peer. It
 * is only a hint; the backstop asks SQLite itself whether another process has committed.
 */
export function startWaking(store: Store, directory: string): () => void {
  makePrivateDirectory(directory);
  const own = `wake-${process.pid}.sock`;
  const peers = new Map<string, Peer | null>();
  const lines = new WeakMap<object, string>();

  const heard = (text: string): void => {
    const keys = new Map<Topic, Set<string>>();
    for (const line of text.split("\n")) {
      const cut = line.indexOf(" ");
      const topic = line.slice(0, cut) as Topic;
      if (!TOPICS.includes(topic)) continue;
      const set = keys.get(topic) ?? new Set();
      set.add(line.slice(cut + 1));
      keys.set(topic, set);
    }
    for (const [topic, set] of keys) store.announce(topic, set);
  };

  removeFile(join(directory, own));
  const server = Bun.listen({
    unix: join(directory, own),
    socket: {
      data(socket, bytes) {
        const text = (lines.get(socket) ?? "") + bytes.toString();
        const end = text.lastIndexOf("\n");
        lines.set(socket, text.slice(end + 1));
        if (end > 0) heard(text.slice(0, end));
      },
    },
  });

  const look = (): void => {
    for (const name of readdirSync(directory)) {
      if (!NAME.test(name) || name === own || peers.has(name)) continue;
      peers.set(name, null);
      Bun.connect({
        unix: join(directory, name),
        socket: { data() {}, close: () => void peers.delete(name), error: () => void peers.delete(name) },
      }).then(
        (peer) => peers.set(name, peer),
        () => {
          // Nobody listens behind it any more.
          peers.delete(name);
          removeFile(join(directory, name));
        },
      );
    }
  };
  look();
  const looking = setInterval(look, LOOK_MS);

  const unlisten = store.listen((topic, keys, foreign) => {
    if (foreign) return;
    let text = "";
    for (const key of keys) text += `${topic} ${key}\n`;
    for (const peer of peers.values()) peer?.write(text);
  });
  const backstop = setInterval(() => {
    if (store.changedElsewhere()) for (const topic of TOPICS) store.announce(topic);
  }, BACKSTOP_MS);

  return () => {
    clearInterval(looking);
    clearInterval(backstop);
    unlisten();
    for (const peer of peers.values()) peer?.end();
    server.stop(true);
    removeFile(join(directory, own));
  };
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there.
  }
}
