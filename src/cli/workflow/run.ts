import { dirname, join, resolve } from "node:path";
import { allowAll } from "../../calls/index.ts";
import { DEFAULT_TENANT, hasStore, storePath } from "../../host/index.ts";
import { openSecrets } from "../../secrets/index.ts";
import { publishableAgents, Store } from "../../store/index.ts";
import { featuresOf, loadDocument } from "../../workflow/index.ts";
import { EXIT } from "../exit.ts";
import { readJsonArgument } from "../inputs.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { FILE, MODE, readDocumentFile } from "./read-file.ts";
import { runDocument } from "./run-document.ts";

export const spec = {
  description:
    "Executes one document to its end in this process: no server, nothing kept. Commands run in the sandbox of a local runner; calls go wherever their user may go, and `file:` addresses are read below the document's directory.",
  positionals: [FILE],
  flags: {
    input: { type: "string", value: "JSON|@FILE|-", about: "the workflow's input; {} when left out" },
    mode: MODE,
  },
  examples: [
    {
      command: `lightflow workflow run order.yaml --input '{"order":7}' --json`,
      does: "status, output, error and tasks of one run",
    },
  ],
  exits: { [EXIT.failed]: "the workflow faulted or was cancelled" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { text, name } = await readDocumentFile(positionals.file, io);
  const loaded = loadDocument(text, { name, mode: flags.mode });
  const input = flags.input === undefined ? {} : await readJsonArgument(flags.input, "--input", io);
  const base = positionals.file === "-" ? io.cwd : dirname(resolve(io.cwd, positionals.file));
  const stop = io.stop();
  // The run has a store of its own; its secrets and agents are those of its user.
  const needsSecrets = (loaded.document.use?.secrets?.length ?? 0) > 0;
  const needsAgents = [...featuresOf(loaded.document)].some(({ feature }) => feature === "call.agent");
  const kept = (needsSecrets || needsAgents) && hasStore(io.paths) ? Store.open(storePath(io.paths)) : null;
  const secrets = kept === null ? {} : { secrets: openSecrets(kept, io.paths.state) };
  const agents = kept !== null && needsAgents ? kept.read(publishableAgents, DEFAULT_TENANT) : [];
  const report = await runDocument({
    loaded,
    input,
    agents,
    log: io.log(),
    runner: { ...io.settings().runner, imagesDirectory: join(io.paths.state, "runner", "images") },
    calls: { policy: allowAll, files: { base, within: base }, ...secrets },
    stop,
  }).finally(() => kept?.close());
  io.print(report, (paint) => {
    const lines = report.tasks.map((task) => `  ${task.status.padEnd(10)} ${task.name}  ${task.reference}`);
    const result = report.error === null ? report.output : report.error;
    const status = report.status === "completed" ? paint.green(report.status) : paint.red(report.status);
    return [status, ...lines, JSON.stringify(result, null, 2)].join("\n");
  });
  if (stop.aborted) return exitOf(stop);
  return report.status === "completed" ? EXIT.ok : EXIT.failed;
};
