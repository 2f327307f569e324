import type { Json } from "../../base/json.ts";
import { compileProgram } from "../../expression/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Runs a jq program as workflows do: the same language, the same budgets, no files, no environment. Each output is one line of JSON.",
  positionals: [{ name: "program", label: "program", about: "a jq program, without ${ }" }],
  flags: {
    input: { type: "string", value: "JSON|@FILE|-", about: "what `.` is; null when left out" },
    arg: { type: "pairs", value: "NAME=JSON", about: "a variable; may be repeated" },
  },
  examples: [
    {
      command: `lightflow expression eval '.items[] | .price * $n' --input '{"items":[{"price":2}]}' --arg n=3`,
      does: "6",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const input: Json = flags.input === undefined ? null : await readJsonArgument(flags.input, "--input", io);
  const variables: Record<string, Json> = {};
  for (const [name, text] of flags.arg ?? [])
    variables[name] = await readJsonArgument(text, `--arg ${name}`, io);
  const program = compileProgram(positionals.program, Object.keys(variables));
  for (const output of program.run(input, { variables, now: Date.now() }))
    io.stdout.line(JSON.stringify(output));
  return 0;
};
