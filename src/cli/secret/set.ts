import { fail } from "../../base/errors.ts";
import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { readSecretValue } from "./read-value.ts";

/** The name of a secret, for the secret commands. */
export const NAME = {
  name: "name",
  label: "secret name",
  ids: "secret",
  about: "as `use.secrets` of a document has it",
} as const;

export const spec = {
  description:
    "Keeps a secret for workflows that name it in `use.secrets`. The value comes from stdin, or is typed without being shown; it is sealed with the key beside the store. A JSON object is a secret with properties. `--from` keeps only where the value stands.",
  positionals: [NAME],
  flags: {
    from: {
      type: "string",
      value: "REFERENCE",
      about: "env:NAME, file:/path (owner alone may read it) or systemd-creds:NAME, read at each use",
    },
  },
  examples: [
    { command: "lightflow secret set registry < token.txt", does: "the text of a file as the secret" },
    { command: "lightflow secret set registry --from env:REGISTRY_TOKEN", does: "a variable of the host" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const content =
    flags.from === undefined
      ? { value: await readSecretValue(positionals.name, io) }
      : { reference: flags.from };
  if ("value" in content && content.value === "") {
    throw fail("invalid_request", `the value of ${positionals.name} is empty`, {
      hint: "write it to stdin, or name where it stands with --from",
    });
  }
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("setSecret", { name: positionals.name, ...content });
    io.print(answer, () => `${answer.name} ${answer.created ? "set" : "replaced"}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
