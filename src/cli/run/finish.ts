import type { Client } from "../../host/index.ts";
import { isFinished, type LogLine } from "../../service/index.ts";
import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import { createPaint } from "../paint.ts";
import { type RunReport, reportText } from "./report.ts";
import { followLogs } from "./watch.ts";

const LAST_LINES = 20;

export async function readReport(client: Client, runId: string): Promise<RunReport> {
  const run = await client.call("getRun", { run_id: runId });
  const { steps } = await client.call("getSteps", { run_id: runId });
  const { artifacts } = await client.call("getArtifacts", { run_id: runId });
  const { ratings } = await client.call("runRatings", { run_id: runId });
  return { run, steps, artifacts, ratings };
}

/** Print how a run ended. @returns the exit code: 0, or 3 when it failed, with the last lines of the failed step on stderr */
export async function finishRun(
  client: Client,
  runId: string,
  io: Io,
  format: "table" | "json" | undefined,
): Promise<number> {
  const report = await readReport(client, runId);
  const table = format === undefined ? !io.json : format === "table";
  if (table) io.stdout.write(reportText(report, io.isTerminal && io.color ? io.paint : createPaint(false)));
  else
    io.stdout.write(
      `${JSON.stringify({ ...report.run, steps: report.run.steps ?? report.steps, artifacts: report.artifacts, ratings: report.ratings }, null, 2)}\n`,
    );
  if (!isFinished(report.run.status)) return EXIT.ok;
  if (report.run.status === "succeeded") return EXIT.ok;
  await lastLines(client, report, io);
  return EXIT.failed;
}

async function lastLines(client: Client, report: RunReport, io: Io): Promise<void> {
  const failed = report.steps.findLast((step) => step.status === "failed" && step.attempts.length > 0);
  if (failed === undefined) return;
  let text = "";
  const take = (chunk: LogLine) => {
    text = (text + Buffer.from(chunk.data, "base64").toString()).slice(-64 * 1024);
  };
  await followLogs(client, report.run.run_id, new AbortController().signal, take, {
    stepId: failed.step_id,
    follow: false,
  });
  const lines = text.trimEnd().split("\n").slice(-LAST_LINES);
  if (lines.join("") === "") return;
  io.stderr.line(`last output of ${failed.step_id}:`);
  for (const line of lines) io.stderr.line(`  ${line}`);
}
