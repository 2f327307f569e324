import { connectToRecords } from "../../host/index.ts";
import { withLine } from "../file-place.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { LAYER, layerOf, TENANT } from "./layer.ts";
import { POLICY_FILE, parsePolicy, readPolicyText } from "./read-policy-file.ts";

export const spec = {
  description:
    "Publishes the policy of the whole service or of one tenant as a new version. It holds for what starts from now on; what runs keeps the one that it began with.",
  positionals: [LAYER, POLICY_FILE],
  flags: { tenant: TENANT },
  examples: [
    { command: "lightflow policy publish service service.yaml", does: "what no tenant may go beyond" },
    {
      command: "lightflow policy publish tenant acme.yaml --tenant acme",
      does: "what no workflow of acme may go beyond",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { file } = positionals;
  const text = await readPolicyText(file, io);
  const policy = await parsePolicy(text, file);
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client
      .call("publishPolicy", { ...layerOf(positionals.layer, flags.tenant), policy })
      .catch(async (error: unknown) => {
        throw await withLine(error, text, file, "policy");
      });
    io.print(
      answer,
      () =>
        `${answer.kind} ${answer.id}@${answer.version} ${answer.created ? "published" : "was published before"}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
