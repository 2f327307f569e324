import { newId } from "../../src/base/ids.ts";
import { pause } from "../../src/base/pause.ts";
import { type RegistrationAccepted, type SigningKey, signRegistration } from "../../src/protocol/index.ts";
import { createBackoff } from "../../src/runner/wire/backoff.ts";
import { challengeOf, facts, NO_COMMANDS, post, ZERO } from "../support/hand-runner.ts";

/**
 * Many idle runners in one process: `bun control-idle-clients.ts URL KEYS.json`. Each keeps one claim and one heartbeat
 * waiting, and comes back after a lost connection as the real one does. Each second a line: how many have been heard
 * since the last word on stdin, and how many registrations there were.
 */
const [url, file] = process.argv.slice(2) as [string, string];
const keys = (await Bun.file(file).json()) as SigningKey[];
let heard = new Set<number>();
let registrations = 0;
let errors = 0;
/** Words on stdin so far. */
let epoch = 0;

class Client {
  readonly id: string;
  session: RegistrationAccepted | null = null;
  pending: Promise<RegistrationAccepted> | null = null;

  constructor(
    readonly at: number,
    readonly key: SigningKey,
  ) {
    this.id = `idle-${at}`;
  }

  ensure(): Promise<RegistrationAccepted> {
    if (this.session !== null) return Promise.resolve(this.session);
    this.pending ??= (async () => {
      try {
        const about = { ...facts(this.id), challenge: await challengeOf(url) };
        const answer = await post(url, "/runner/register", signRegistration(about as never, this.key), null);
        if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
        registrations++;
        this.session = answer.body as unknown as RegistrationAccepted;
        return this.session;
      } finally {
        this.pending = null;
      }
    })();
    return this.pending;
  }

  /** One kind of message after the other, with the waits of the real runner. */
  async loop(send: (session: RegistrationAccepted) => ReturnType<typeof post>, first: number): Promise<void> {
    await pause(first);
    const backoff = createBackoff(250, 8_000);
    for (;;) {
      try {
        const session = await this.ensure();
        const { status } = await send(session);
        if (status === 401 && this.session === session) this.session = null;
        if (status >= 400) throw new Error(String(status));
        backoff.reset();
        heard.add(this.at);
      } catch {
        errors++;
        await pause(backoff.next());
      }
    }
  }

  run(): void {
    const messages = { runnerId: this.id, timestamp: "2026-01-01T00:00:00Z" };
    void this.loop(
      ({ sessionId, heartbeatToken, heartbeatIntervalMs }) =>
        post(
          url,
          "/runner/heartbeat",
          {
            ...{ ...messages, messageId: newId(), sessionId, status: "ready", waitMs: heartbeatIntervalMs },
            ...{ configHash: ZERO, commandAllowlistHash: NO_COMMANDS, binaryDigest: ZERO },
            ...{ watchdog: "ok", journal: "ok", activeLeases: [], freeSlots: 1, cleanupBacklog: 0 },
          },
          heartbeatToken,
        ),
      Math.random() * 5_000,
    );
    void this.loop(
      ({ sessionId, claimToken }) =>
        post(
          url,
          "/runner/claim",
          { messageId: newId(), runnerId: this.id, sessionId, freeSlots: 1, waitMs: 25_000 },
          claimToken,
        ),
      Math.random() * 5_000,
    );
  }
}

for (const [at, key] of keys.entries()) new Client(at, key).run();
setInterval(() => console.log(JSON.stringify({ epoch, heard: heard.size, registrations, errors })), 250);
for await (const _ of console) {
  heard = new Set();
  epoch++;
}
