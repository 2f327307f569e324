import { dirname, resolve } from "node:path";
import { toolDigests } from "../../agents/service/tool-box.ts";
import { fail } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../base/json.ts";
import { readTextFile } from "../../base/read-file.ts";
import { connectToRecords } from "../../host/index.ts";
import { withLine } from "../file-place.ts";
import type { Io } from "../io.ts";
import { POLICY_FILE, parsePolicy, readPolicyText } from "../policy/read-policy-file.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Publishes an agent: instructions, model, schema of its answers, tools, skills and budgets. A skill may name a `file` beside the agent's, whose text is published with it. A version never changes; the same content again is answered with the first.",
  positionals: [POLICY_FILE],
  flags: {
    mcp: {
      type: "list",
      value: "SERVER",
      about:
        "an MCP server that offers tools of the agent, an address or the path of a program: they are pinned as they are now; may be repeated",
    },
  },
  examples: [
    { command: "lightflow agent publish agents/triage.yaml", does: "its name, version and digest" },
    {
      command: "lightflow agent publish agents/helper.yaml --mcp ./tools",
      does: "the same, its tools pinned by their digests",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { file } = positionals;
  const text = await readPolicyText(file, io);
  const document = withSkillTexts(await parsePolicy(text, file), file, io);
  const agent = flags.mcp.length === 0 ? document : await withPins(document, flags.mcp, io);
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("publishAgent", { agent }).catch(async (error: unknown) => {
      throw await withLine(error, text, file);
    });
    io.print(
      answer,
      () =>
        `${answer.name}:${answer.version} ${answer.created ? "published" : "was published before"} ${answer.digest}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};

/** Its tools by their digests, as the servers offer them now: no others are taken from then on. */
async function withPins(agent: JsonObject, servers: readonly string[], io: Io): Promise<JsonObject> {
  const tools = Array.isArray(agent["tools"]) ? agent["tools"].map(String) : [];
  return { ...agent, pins: await toolDigests(servers, tools, io.log()) };
}

/** `{name, file}` of a skill as `{name, text}`: what is published holds all that it needs. */
function withSkillTexts(document: unknown, file: string, io: Io): JsonObject {
  if (!isObject(document)) throw fail("invalid_request", `${file}: an agent is an object`);
  const agent = document as JsonObject;
  const { skills } = agent;
  if (!Array.isArray(skills)) return agent;
  const folder = file === "-" ? io.cwd : dirname(resolve(io.cwd, file));
  return {
    ...agent,
    skills: skills.map((skill) => {
      if (!isObject(skill) || typeof skill["file"] !== "string") return skill;
      const { file: name, ...rest } = skill as JsonObject;
      return { ...rest, text: readTextFile(resolve(folder, String(name))) };
    }),
  };
}
