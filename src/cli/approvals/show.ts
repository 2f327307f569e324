import { connectToRead } from "../../host/index.ts";
import type { OutputOf } from "../../service/index.ts";
import type { Paint } from "../paint.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { APPROVAL } from "./approval-id.ts";

export const spec = {
  description:
    "Says what exactly would happen: the command with its arguments, its template, the target and the artifacts by their digests, and what differs from what was approved last for the same step of the same workflow.",
  positionals: [APPROVAL],
  examples: [
    {
      command: "lightflow approvals show 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11",
      does: "what would be done",
    },
  ],
} as const satisfies CommandSpec;

type Shown = OutputOf<"showApproval">;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const shown = await client.call("showApproval", { approval_id: positionals.approval });
    io.print(shown, (paint) => describe(shown, paint));
    return 0;
  } finally {
    await client.close();
  }
};

/** As the lease will have it; only what tells a person what happens. */
interface Work {
  readonly task?: {
    readonly command?: string;
    readonly arguments: readonly string[];
    readonly image?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly stdin?: string;
  };
  readonly action?: object;
  readonly mounts?: readonly {
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
  }[];
  readonly network?: string;
  readonly networkHosts?: { readonly allow: readonly string[] };
}

/** More of one value is for `--json`. */
const SHOWN = 2_000;
const brief = (text: string): string =>
  text.length <= SHOWN
    ? text
    : `${text.slice(0, SHOWN)}… (${text.length} characters; --json shows all of it)`;

/** What the program is given beside its arguments, and what it reaches. */
function givenTo({ task, action, mounts = [], network, networkHosts }: Work): [string, string][] {
  if (task === undefined) return [];
  const { stdin = "", environment = {} } = task;
  const reached = networkHosts === undefined ? "" : ` ${networkHosts.allow.join(", ")}`;
  return [
    ...(stdin === ""
      ? []
      : action === undefined
        ? ([["stdin", JSON.stringify(stdin)]] as [string, string][])
        : Object.entries(JSON.parse(stdin) as object).map(([name, value]): [string, string] => [
            "with",
            `${name} ${JSON.stringify(value)}`,
          ])),
    ...Object.entries(environment).map(([name, value]): [string, string] => ["env", `${name}=${value}`]),
    ...mounts.map(({ source, target, readOnly }): [string, string] => [
      readOnly ? "reads" : "writes",
      source === target ? source : `${source} as ${target}`,
    ]),
    ...(network === undefined ? [] : ([["network", `${network}${reached}`]] as [string, string][])),
  ];
}

function describe(shown: Shown, paint: Paint): string {
  const work = shown.action as Work;
  const { task } = work;
  const { binding } = shown;
  const facts: [string, string | null][] = [
    ["run", `${shown.run_id}/${shown.step_id} of ${shown.workflow}, asked for by ${shown.requester}`],
    ["does", shown.operations.join(", ")],
    ["target", shown.target],
    ["image", task?.image ?? null],
    ["argv", task === undefined ? null : JSON.stringify([task.command ?? "", ...task.arguments])],
    ["call", task === undefined ? JSON.stringify(shown.action) : null],
    ...givenTo(work),
    ["template", binding.template === null ? null : `${binding.template.id} ${binding.template.digest}`],
    ...binding.artifacts.map((each): [string, string] => ["artifact", each]),
    ["provenance", binding.provenance],
    ["policy", `${binding.policyDigest} (${binding.executionProfile})`],
    [
      "approvers",
      `${shown.approvers.join(", ")}${shown.separation_of_duties ? "; not whoever asked for it" : ""}`,
    ],
    ["until", shown.expires_at],
    ["decided", shown.decided_by === null ? null : `${shown.decided_by}, ${shown.decided_at}`],
  ];
  const changes =
    shown.changes === null
      ? ["nothing was approved for this step before"]
      : [
          `since ${shown.changes.since}:${shown.changes.differences.length === 0 ? " nothing differs" : ""}`,
          ...shown.changes.differences.map(
            ({ path, before, now }) => `  ${path}: ${JSON.stringify(before)} -> ${JSON.stringify(now)}`,
          ),
        ];
  return [
    `${paint.bold(shown.state)} ${shown.id} ${shown.digest}`,
    ...facts.flatMap(([name, text]) => (text === null ? [] : [`  ${paint.dim(name)} ${brief(text)}`])),
    ...changes,
    ...(shown.state === "requested"
      ? [
          `${paint.dim("next:")} lightflow approvals approve ${shown.id}, or: lightflow approvals reject ${shown.id} --note WHY`,
        ]
      : []),
  ]
    .map((line) => `${line.replaceAll("\n", "\\n")}\n`)
    .join("");
}
