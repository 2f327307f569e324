import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Failure, fail, toFailure } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import { unreadable } from "../../base/read-file.ts";
import { parseStrictJson } from "../../base/strict-json.ts";
import { connectToStore } from "../../host/index.ts";
import { newRunId } from "../../service/index.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { driveBatch } from "./drive.ts";

export const spec = {
  description:
    'Runs every line of a file: {"workflow_asset_id": …, "inputs"?: {…}, "preset"?: …, "run_id"?: …}. Every line is read before anything starts; one that names what is not there is refused by itself. Killed at any time, `batch resume` goes on.',
  positionals: [{ name: "file", label: "file of jobs", about: "JSONL; - for stdin" }],
  flags: {
    id: { type: "string", value: "BATCH_ID", about: "name of the batch; made up when left out" },
    workflow: { type: "string", value: "ID", ids: "workflow", about: "the workflow of lines that name none" },
    concurrency: {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 1024,
      default: 4,
      about: "runs at once",
    },
  },
  examples: [{ command: "lightflow batch run jobs.jsonl --concurrency 8", does: "eight at a time" }],
  exits: { [EXIT.failed]: "a job failed, was cancelled or refused" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const jobs = await readJobs(
    positionals.file === "-" ? null : resolve(io.cwd, positionals.file),
    flags.workflow,
  );
  const id = flags.id ?? newRunId("batch", Date.now());
  // The list goes into the store at once and whole: what is killed later is resumed from there.
  const store = await connectToStore(io.paths, io.log(), io.root());
  try {
    await store.call("createBatch", {
      batch_id: id,
      concurrency: flags.concurrency,
      jobs,
      project_root: io.root(),
    });
  } finally {
    await store.close();
  }
  io.stderr.line(`batch ${id}: ${jobs.length} jobs`);
  return await driveBatch(io, id);
};

const MEMBERS = new Set(["workflow_asset_id", "workflow", "inputs", "preset", "run_id"]);

/** @param file null for stdin */
async function readJobs(file: string | null, workflow: string | undefined): Promise<JsonObject[]> {
  const path = file ?? "stdin";
  const jobs: JsonObject[] = [];
  let line = 0;
  try {
    for await (const text of createInterface({
      input: file === null ? process.stdin : createReadStream(file, "utf8"),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      line++;
      if (text.trim() !== "") jobs.push(readJob(text, `${path}:${line}`, workflow));
    }
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  }
  if (jobs.length === 0) throw fail("invalid_request", `${path} holds no job`);
  return jobs;
}

function readJob(text: string, at: string, workflow: string | undefined): JsonObject {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (error) {
    throw fail("invalid_json", `${at}: not valid JSON: ${toFailure(error).message}`);
  }
  if (!isObject(value)) throw fail("invalid_request", `${at}: a job is a JSON object`);
  const unknown = Object.keys(value).find((member) => !MEMBERS.has(member));
  if (unknown !== undefined)
    throw fail("invalid_request", `${at}: unknown member ${unknown}`, {
      hint: `a job has ${[...MEMBERS].join(", ")}`,
    });
  const { workflow: named, ...job } = value as JsonObject;
  const id = job["workflow_asset_id"] ?? named ?? workflow;
  if (typeof id !== "string") {
    throw fail("invalid_request", `${at}: no workflow is named`, { hint: "name one for all: --workflow ID" });
  }
  return { ...job, workflow_asset_id: id };
}
