import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { connectToRecords } from "../../host/index.ts";
import type { ExplainedField, ExplainedPolicy, ExplainedTask } from "../../policy/index.ts";
import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import type { Paint } from "../paint.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "Shows what policy makes of a workflow before anything runs: for each task where it would run and every field with the layer that decided it. A workflow that would be refused is told with the layer and the field.",
  positionals: [
    {
      name: "definition",
      label: "definition",
      about:
        "a document's file, NAMESPACE/NAME or NAMESPACE/NAME:VERSION that is published, or a workflow asset",
    },
  ],
  flags: {
    task: { type: "string", value: "TASK", about: "one task, by its name or reference" },
    tenant: {
      type: "string",
      value: "TENANT",
      ids: "tenant",
      default: "default",
      about: "whose start it would be",
    },
  },
  examples: [
    {
      command: "lightflow policy explain workflow.release --task build",
      does: "the effective policy of one task",
    },
    {
      command: "lightflow policy explain release.yaml --tenant acme --json",
      does: "the same as JSON, for acme",
    },
  ],
  exits: { [EXIT.usage]: "a start would be refused" },
} as const satisfies CommandSpec;

async function definitionOf(text: string, io: Io): Promise<Record<string, unknown>> {
  if (text === "-" || existsSync(resolve(io.cwd, text))) {
    const [{ readDocumentFile }, { loadDocument }] = await Promise.all([
      import("../workflow/read-file.ts"),
      import("../../workflow/index.ts"),
    ]);
    const read = await readDocumentFile(text, io);
    return { document: loadDocument(read.text, { name: read.name, mode: "light" }).document };
  }
  const published = /^([^/:\s]+)\/([^/:\s]+)(?::([^/:\s]+))?$/.exec(text);
  if (published === null) return { workflow_asset_id: text, project_root: io.root() };
  const [, namespace, name, version] = published;
  return { workflow: { namespace, name, ...(version === undefined ? {} : { version }) } };
}

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const definition = await definitionOf(positionals.definition, io);
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer: ExplainedPolicy = await client.call("explainPolicy", {
      ...definition,
      tenant: flags.tenant,
      ...(flags.task === undefined ? {} : { task: flags.task }),
    });
    io.print(answer, (paint) => text(answer, paint));
    return answer.refused === null ? EXIT.ok : EXIT.usage;
  } finally {
    await client.close();
  }
};

function text(answer: ExplainedPolicy, paint: Paint): string {
  const head = [
    `${paint.dim("tenant")}  ${answer.tenant}`,
    `${paint.dim("layers")}  ${answer.layers.join(" · ")}`,
    answer.refused === null
      ? `${paint.dim("digest")}  ${answer.digest}`
      : `${paint.red("refused")} ${answer.refused.message}`,
  ];
  return `${[head.join("\n"), ...answer.tasks.map((task) => taskText(task, paint))].join("\n\n")}\n`;
}

function taskText(task: ExplainedTask, paint: Paint): string {
  const lines = [
    `${paint.bold(task.name)} ${paint.dim(task.reference)}  ${task.type} → ${task.runtime} (${task.reasons.join("; ")})`,
  ];
  if (task.agent !== null) {
    const { name, version, placement, data_boundary, tools } = task.agent;
    const told = tools.length === 0 ? "no tools" : `tools ${tools.join(" ")}`;
    lines.push(`  agent: ${name}:${version}, placed as ${placement}, ${data_boundary}, ${told}`);
  }
  if (task.refused !== null)
    return [...lines, `  ${paint.red("refused")} ${task.refused.message}`].join("\n");
  if (task.fields.length === 0) return lines.join("\n");
  const template = task.command_template;
  const granted = [
    `pool ${task.runner_pool}`,
    `network ${task.network}`,
    `${task.task_ms} ms`,
    ...(template === null ? [] : [`template ${template.id}@${template.version}`]),
    ...(task.approval_required ? ["needs an approval"] : []),
  ];
  return [...lines, `  granted: ${granted.join(", ")}`, fieldTable(task.fields, paint)].join("\n");
}

function fieldTable(fields: readonly ExplainedField[], paint: Paint): string {
  const shown = (value: unknown) => (Array.isArray(value) ? value.join(" ") || "(none)" : String(value));
  return tableText([
    ["  field", "value", "decided by"].map((head) => paint.dim(head)),
    ...fields.map((each) => [`  ${each.field}`, shown(each.value), each.decided_by.join(" and ")]),
  ]).trimEnd();
}
