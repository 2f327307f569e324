import type { OutputOf, RunStep, RunView } from "../../service/index.ts";
import type { Paint } from "../paint.ts";
import { tableText } from "../table-text.ts";

/** How a run went, for a person and for a program. */
export interface RunReport {
  run: RunView;
  steps: RunStep[];
  artifacts: OutputOf<"getArtifacts">["artifacts"];
  ratings: OutputOf<"runRatings">["ratings"];
}

export function duration(ms: number | null): string {
  if (ms === null) return "";
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
}

/** How long a run took, or has been going on; its own `duration_ms` ends with its last change. */
export function elapsed(run: Pick<RunView, "status" | "created_at" | "duration_ms">): string {
  return duration(
    run.status === "running" ? Math.max(0, Date.now() - Date.parse(run.created_at)) : run.duration_ms,
  );
}

/** A run's status for a person: one that is held up by hand does not run. */
export const statusOf = (run: Pick<RunView, "status" | "phase">): string =>
  run.phase === "suspended" ? "paused" : run.status;

function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1024 / 1024).toFixed(1)} MiB`;
}

/** Said of a run that could go on. */
export const NO_HOST = "no host works on this run now; start one with: lightflow up";

const MARKS: Record<string, string> = {
  succeeded: "✓",
  failed: "✗",
  cancelled: "–",
  skipped: "·",
  running: "…",
  planned: "…",
  paused: "‖",
};

function statusText(status: string, paint: Paint): string {
  const text = `${MARKS[status] ?? "?"} ${status}`;
  if (status === "succeeded") return paint.green(text);
  return status === "failed" || status === "waiting_for_operator" ? paint.red(text) : paint.dim(text);
}

/** The table at the end of a run, and the commands that look further. */
export function reportText(report: RunReport, paint: Paint): string {
  const { run, steps, artifacts } = report;
  const rows = steps.map((step) => {
    const last = step.attempts.at(-1);
    return [
      statusText(step.status, paint),
      step.step_id,
      step.cached
        ? `cached (${step.origin_run})`
        : last === undefined
          ? "orchestrator"
          : `${last.runner_id} (${last.sandbox ?? last.state})`,
      last === undefined ? "" : String(last.attempt),
      duration(step.duration_ms),
      last?.exit_code == null ? "" : String(last.exit_code),
    ];
  });
  // A run taken step by step has no attempts: its steps stand where its user has brought them.
  for (const step of run.steps ?? [])
    rows.push([statusText(step.status, paint), step.step_id, "CortexFS", "", "", ""]);
  const lines = [
    `${statusText(statusOf(run), paint)} ${paint.bold(run.run_id)} (${run.workflow_asset_id}) ${run.status === "running" ? "for" : "in"} ${elapsed(run)}`,
    "",
    tableText([
      ["", "step", "runner", "attempt", "time", "exit"].map((head) => paint.dim(head)),
      ...rows,
    ]).trimEnd(),
  ];
  if (run.error !== null) {
    lines.push(
      "",
      `${paint.red("error")}: ${run.error["title"] ?? ""}: ${run.error["detail"] ?? ""}`,
      `  at ${run.error["instance"] ?? "/"}`,
    );
  }
  if (run.output !== null) lines.push("", "output", indent(JSON.stringify(run.output, null, 2)));
  for (const { step_id, score, note } of report.ratings)
    lines.push("", `rated ${paint.bold(step_id)} ${score}${note === null ? "" : `: ${note}`}`);
  for (const artifact of artifacts) {
    lines.push(
      "",
      `artifact ${paint.bold(artifact.name)} (${bytes(artifact.size)}) from ${artifact.step_id}`,
    );
    lines.push(`  sha256 ${artifact.sha256}`);
    if (artifact.path !== null) lines.push(`  ${artifact.path}`);
  }
  if (steps.some(({ status }) => status === "waiting_for_operator"))
    lines.push("", paint.dim("somebody has to decide:"), "  lightflow inbox list");
  lines.push(
    "",
    paint.dim("look further:"),
    `  lightflow run events ${run.run_id}`,
    `  lightflow run logs ${run.run_id}`,
    `  lightflow run artifacts ${run.run_id}`,
  );
  return `${lines.join("\n")}\n`;
}

const indent = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
