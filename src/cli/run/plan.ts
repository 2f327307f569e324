import { cortexPlace } from "../../cortex/index.ts";
import { type Client, connectToStore } from "../../host/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { Io } from "../io.ts";
import type { Arguments, CommandSpec } from "../spec.ts";

/** The flags of `run preview` and `run create`. */
export const PLAN_SPEC = {
  positionals: [
    { name: "workflow", label: "workflow asset id", ids: "workflow", about: "such as workflow.text_plan" },
  ],
  flags: {
    id: { type: "string", value: "RUN_ID", about: "name of the run; made up when left out" },
    inputs: { type: "string", value: "JSON|@FILE|-", about: "the workflow's inputs" },
  },
} as const;

/** The `/ctx` of this user: of the environment, else of `config.yaml`, else `/ctx` itself. */
export function placeOfUser(io: Io) {
  return cortexPlace({ ...io.env, LIGHTFLOW_CTX_MOUNT: io.settings().ctx });
}

/** One call on the store itself, printed as JSON. */
export async function callStore(io: Io, call: (client: Client) => Promise<unknown>): Promise<number> {
  const place = placeOfUser(io);
  const client = await connectToStore(io.paths, io.log(), io.root(), place);
  try {
    io.print(await call(client));
    return 0;
  } finally {
    await client.close();
  }
}

export async function planInput(
  { positionals, flags }: Arguments<CommandSpec & typeof PLAN_SPEC>,
  io: Io,
): Promise<Record<string, unknown>> {
  return {
    workflow_asset_id: positionals.workflow,
    ...(flags.id === undefined ? {} : { run_id: flags.id }),
    ...(flags.inputs === undefined ? {} : { inputs: await readJsonArgument(flags.inputs, "--inputs", io) }),
  };
}
