import { findWorkflow, type Port } from "../../assets/index.ts";
import type { Paint } from "../paint.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  positionals: [
    { name: "workflow", label: "workflow asset id", ids: "workflow", about: "such as workflow.hello" },
  ],
  examples: [
    { command: "lightflow assets show workflow.release_check", does: "what it takes and what it does" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const { record, definition } = findWorkflow(io.root(), positionals.workflow);
  io.print({ ...record, definition }, (paint) => {
    const inputs = Object.entries(definition.inputs ?? {}).map(([name, port]) => inputRow(name, port, paint));
    const steps = definition.steps.map((step) => [step.step_id, paint.dim(step.target.kind)]);
    return [
      `${paint.bold(record.meta.id)}  ${record.meta.title}`,
      record.meta.description,
      "",
      paint.dim("inputs"),
      inputs.length === 0 ? "  none" : tableText(inputs).trimEnd(),
      "",
      paint.dim("steps"),
      tableText(steps),
      `start it: lightflow run start ${record.meta.id} --watch\n`,
    ].join("\n");
  });
  return 0;
};

function inputRow(name: string, port: Port, paint: Paint): string[] {
  const state =
    port.required === true
      ? "required"
      : port.default === undefined
        ? ""
        : `default ${JSON.stringify(port.default)}`;
  return [`  ${name}`, port.type, paint.dim(state), port.description ?? ""];
}
