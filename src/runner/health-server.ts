import { type Listening, listenTcp } from "../base/listen.ts";

/** What the runner says of itself to whoever watches this host. */
export interface RunnerReport {
  /** Why it gets no work, or null. */
  readonly trouble: string | null;
  readonly stalled: boolean;
  readonly registered: boolean;
  readonly draining: boolean;
  readonly slots: number;
  readonly active: number;
  /** Results that are being delivered. */
  readonly settling: number;
  readonly cleanupBacklog: number;
  readonly journalWritable: boolean;
  /** Since the last heartbeat that was answered; null before the first. */
  readonly heartbeatAgeMs: number | null;
  /** Results by status, since the start. */
  readonly results: ReadonlyMap<string, number>;
  readonly logBytes: number;
  readonly version: string;
}

/** What a URL calls this host; other spellings of an address are normal there already. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * `/healthz`: alive; 503 once the event loop or the journal fails, so that a supervisor starts the runner anew.
 * `/readyz`: 200 while it takes work. `/metrics`: the text format of Prometheus. GET alone, under a name of loopback; nothing of a
 * task is shown.
 * @param address `127.0.0.1:9464`, of this host alone
 * @throws Failure `io` when the port is taken
 */
export function serveHealth(address: string, report: () => RunnerReport): Listening {
  const colon = address.lastIndexOf(":");
  return listenTcp({
    host: address.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(address.slice(colon + 1)),
    flag: "healthAddress in runner.yaml",
    maximumBodyBytes: 1024,
    handle(request) {
      const { pathname, hostname } = new URL(request.url);
      // A page of the Web could otherwise read it under a name of its own that leads here (DNS rebinding).
      if (!LOOPBACK.test(hostname)) return new Response("", { status: 403 });
      if (request.method !== "GET" && request.method !== "HEAD") return new Response("", { status: 405 });
      const state = report();
      if (pathname === "/metrics")
        return new Response(metrics(state), { headers: { "content-type": METRICS_TYPE } });
      if (pathname === "/healthz") {
        return state.stalled || !state.journalWritable
          ? Response.json({ status: "failed", reason: state.trouble }, { status: 503 })
          : Response.json({ status: "ok" });
      }
      if (pathname === "/readyz") {
        const reason = notReady(state);
        return reason === null
          ? Response.json({ status: "ready" })
          : Response.json({ status: "not ready", reason }, { status: 503 });
      }
      return new Response("", { status: 404 });
    },
  });
}

function notReady({ registered, draining, trouble }: RunnerReport): string | null {
  if (trouble !== null) return trouble;
  if (!registered) return "not registered with the controller";
  return draining ? "draining" : null;
}

/** The statuses that a result may have; each is shown from the start, so that a rate can be computed. */
const STATUSES = ["succeeded", "failed", "cancelled", "timed_out", "unknown"];

function metrics(state: RunnerReport): string {
  const lines: string[] = [];
  const family = (
    name: string,
    type: "gauge" | "counter",
    help: string,
    values: (readonly [string, number])[],
  ) => {
    lines.push(`# HELP lightflow_runner_${name} ${help}`, `# TYPE lightflow_runner_${name} ${type}`);
    for (const [labels, value] of values) lines.push(`lightflow_runner_${name}${labels} ${value}`);
  };
  const one = (value: number | boolean): (readonly [string, number])[] => [["", Number(value)]];
  const cpu = process.cpuUsage();
  family("info", "gauge", "Version of this runner.", [[`{version="${state.version}"}`, 1]]);
  family("ready", "gauge", "Whether it takes work.", one(notReady(state) === null));
  family("registered", "gauge", "Whether it has a session with its controller.", one(state.registered));
  family("draining", "gauge", "Whether it takes no more work.", one(state.draining));
  family("slots", "gauge", "Tasks that it runs at once.", one(state.slots));
  family("active_tasks", "gauge", "Tasks in hand.", one(state.active));
  family("settling_tasks", "gauge", "Tasks whose result is being delivered.", one(state.settling));
  family("cleanup_backlog", "gauge", "Leases that could not be cleaned up.", one(state.cleanupBacklog));
  family("journal_writable", "gauge", "Whether the journal took the last write.", one(state.journalWritable));
  if (state.heartbeatAgeMs !== null) {
    const seconds = state.heartbeatAgeMs / 1000;
    family("heartbeat_age_seconds", "gauge", "Since the last heartbeat that was answered.", one(seconds));
  }
  family(
    "results_total",
    "counter",
    "Results, by status.",
    STATUSES.map((status) => [`{status="${status}"}`, state.results.get(status) ?? 0]),
  );
  family("log_bytes_total", "counter", "Output of tasks, masked, in bytes.", one(state.logBytes));
  family("resident_bytes", "gauge", "Resident memory of the runner.", one(process.memoryUsage.rss()));
  family("cpu_seconds_total", "counter", "Processor time of the runner.", one((cpu.user + cpu.system) / 1e6));
  return `${lines.join("\n")}\n`;
}
