import type { ServiceContext } from "../service/index.ts";
import { countStore, type StoreCounts } from "../store/index.ts";

/** Upper ends of the latency buckets, in seconds. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];
/** A scraper comes every few seconds; the tables are counted no more often than this. */
const COUNTED_MS = 10_000;

interface Requests {
  count: number;
  seconds: number;
  readonly buckets: number[];
}

/** What one listener has answered, by operation and status. */
export class Metrics {
  readonly #requests = new Map<string, Map<number, Requests>>();
  #counted: { at: number; counts: StoreCounts } | null = null;
  readonly #started = performance.now();

  /** What takes the answers of one operation; `begun` is of `performance.now()`. */
  of(operation: string): (status: number, begun: number) => void {
    const statuses = new Map<number, Requests>();
    this.#requests.set(operation, statuses);
    return (status, begun) => {
      let requests = statuses.get(status);
      if (requests === undefined) {
        requests = { count: 0, seconds: 0, buckets: BUCKETS.map(() => 0) };
        statuses.set(status, requests);
      }
      const seconds = (performance.now() - begun) / 1000;
      requests.count++;
      requests.seconds += seconds;
      const at = BUCKETS.findIndex((end) => seconds <= end);
      if (at >= 0) requests.buckets[at]!++;
    };
  }

  /** The text exposition format of Prometheus, version 0.0.4. */
  text(context: ServiceContext, followers: number): string {
    const lines: string[] = [];
    const family = (
      name: string,
      type: string,
      help: string,
      values: readonly (readonly [string, number])[],
    ) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [labels, value] of values)
        lines.push(`${name}${labels === "" ? "" : `{${labels}}`} ${value}`);
    };
    const now = performance.now();
    if (this.#counted === null || now - this.#counted.at > COUNTED_MS) {
      this.#counted = { at: now, counts: context.views.read(countStore, null) };
    }
    const { counts } = this.#counted;
    const memory = process.memoryUsage.rss();
    const cpu = process.cpuUsage();
    family("lightflow_build_info", "gauge", "Version of this process.", [
      [`version="${context.version}"`, 1],
    ]);
    family("process_resident_memory_bytes", "gauge", "Resident memory.", [["", memory]]);
    family("process_cpu_seconds_total", "counter", "Processor time.", [["", (cpu.user + cpu.system) / 1e6]]);
    family("lightflow_uptime_seconds", "gauge", "Since this listener was opened.", [
      ["", (now - this.#started) / 1000],
    ]);
    family("lightflow_stream_followers", "gauge", "Open streams of runs.", [["", followers]]);
    family(
      "lightflow_runs",
      "gauge",
      "Runs by phase.",
      counts.runs.map(({ status, count }) => [`phase="${status}"`, count] as const),
    );
    family("lightflow_queue_waiting", "gauge", "Tasks that wait for a runner.", [["", counts.waiting]]);
    family(
      "lightflow_leases",
      "gauge",
      "Live leases by state.",
      counts.leases.map(({ state, count }) => [`state="${state}"`, count] as const),
    );
    family(
      "lightflow_runner_sessions",
      "gauge",
      "Open sessions of runners by state.",
      counts.sessions.map(({ state, count }) => [`state="${state}"`, count] as const),
    );
    family("lightflow_operator_tasks", "gauge", "Tasks that wait for an operator.", [
      ["", counts.operator_tasks],
    ]);
    family("lightflow_native_calls", "gauge", "Calls of the orchestrator that are open.", [
      ["", counts.open_calls],
    ]);
    lines.push(
      "# HELP lightflow_http_request_duration_seconds Time to answer, by operation and status.",
      "# TYPE lightflow_http_request_duration_seconds histogram",
    );
    for (const [operation, statuses] of this.#requests) {
      for (const [status, { count, seconds, buckets }] of statuses) {
        const labels = `operation="${operation}",status="${status}"`;
        const name = "lightflow_http_request_duration_seconds";
        let below = 0;
        for (const [at, end] of BUCKETS.entries()) {
          below += buckets[at]!;
          lines.push(`${name}_bucket{${labels},le="${end}"} ${below}`);
        }
        lines.push(
          `${name}_bucket{${labels},le="+Inf"} ${count}`,
          `${name}_sum{${labels}} ${seconds}`,
          `${name}_count{${labels}} ${count}`,
        );
      }
    }
    return `${lines.join("\n")}\n`;
  }
}
