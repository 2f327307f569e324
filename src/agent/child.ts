import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { toFailure } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { type McpServers, openServers, type ServerTold } from "./servers.ts";
import { type NamedCommand, runCommand, runTool, shortened, type ToolDone } from "./tools.ts";

/** What the runner tells the worker on its standard input; the nonce is in no file and in no environment. */
interface Told {
  readonly socket: string;
  readonly nonce: string;
  readonly allowedTools: readonly string[];
  readonly commands: readonly NamedCommand[];
  readonly servers: readonly ServerTold[];
  /** The command that has to succeed before the agent is done, by its name. */
  readonly verify: string | null;
  readonly repairAttempts: number;
}

interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** Ends the worker: the runner knows the reason, and says it. */
class Ended extends Error {}

/**
 * The worker of an agent, inside the sandbox of its call: asks the model through the runner's socket, does what it asks for
 * with the tools that the lease allows, and asks again. It holds no key and has no network; what it may do to files and
 * processes is what the sandbox allows.
 * @returns the exit code
 */
export async function runAgent(): Promise<number> {
  try {
    const told = JSON.parse(await Bun.stdin.text()) as Told;
    const secrets = takeSecrets(told.servers);
    const servers = await openServers(told.servers, secrets, (server, said) =>
      post(told, "/offer", { server, ...said }),
    );
    try {
      const output = await converse(told, servers);
      writeFileSync(process.env["LIGHTFLOW_OUTPUT"]!, JSON.stringify(output));
      return 0;
    } finally {
      await servers.close();
    }
  } catch (error) {
    console.error(`agent: ${error instanceof Ended ? error.message : toFailure(error).message}`);
    return 1;
  }
}

/** The secrets of the servers, out of the environment that everything else is started with. */
function takeSecrets(servers: readonly ServerTold[]): Map<string, string> {
  const places = servers.flatMap(({ secrets }) => Object.values(secrets));
  const taken = new Map(places.map((place) => [place, process.env[place] ?? ""]));
  for (const place of places) delete process.env[place];
  return taken;
}

async function converse(told: Told, servers: McpServers): Promise<Json> {
  const messages: JsonObject[] = [];
  let repairs = 0;
  for (let turn = 1; ; turn++) {
    const { message, calls, answer: said, problem } = await ask(told, turn, messages);
    messages.push(message);
    if (calls.length > 0) {
      for (const call of calls) messages.push(await answer(told, servers, call));
      continue;
    }
    if (problem !== null) {
      messages.push({ role: "user", content: problem });
      continue;
    }
    if (told.verify === null) return { answer: said, repairs };
    // The agent says that it is done; the command that failed decides whether it is.
    const checked = await runTool("run", { command: told.verify }, told.commands);
    await post(told, "/verified", { attempt: repairs + 1, ok: checked.ok });
    console.log(`attempt ${repairs + 1}: ${told.verify} ${checked.ok ? "succeeds" : "fails"}`);
    repairs++;
    if (checked.ok) return { answer: said, repairs };
    if (repairs >= told.repairAttempts)
      throw new Ended(`${told.verify} still fails after ${repairs} attempts`);
    messages.push({ role: "user", content: `${told.verify} still fails:\n${checked.text}` });
  }
}

async function ask(told: Told, turn: number, messages: readonly JsonObject[]) {
  const asked = await post(told, "/model", { id: `turn-${turn}`, messages: [...messages] });
  const message = asked["message"] as JsonObject;
  const listed = Array.isArray(message["tool_calls"]) ? (message["tool_calls"] as JsonObject[]) : [];
  const calls = listed.map((each): ToolCall => {
    const named = (isObject(each["function"]) ? each["function"] : {}) as JsonObject;
    return {
      id: String(each["id"]),
      name: String(named["name"]),
      arguments: String(named["arguments"] ?? "{}"),
    };
  });
  const problem = asked["problem"];
  return {
    message,
    calls,
    answer: asked["answer"] ?? null,
    problem: typeof problem === "string" ? problem : null,
  };
}

/** What the broker says to a call of a tool. */
interface Permission {
  readonly refused?: string;
  readonly builtIn?: string;
  readonly run?: Omit<NamedCommand, "name">;
  readonly server?: string;
  readonly tool?: string;
}

/** A tool that is not allowed, or arguments that are none, are told to the model: it may do better, within its budget. */
async function answer(told: Told, servers: McpServers, call: ToolCall): Promise<JsonObject> {
  const reply = (content: string): JsonObject => ({ role: "tool", tool_call_id: call.id, content });
  const { id, name } = call;
  const permission = (await post(told, "/tool", { id, name, arguments: call.arguments })) as Permission;
  if (permission.refused !== undefined) return reply(`refused: ${permission.refused}`);
  const done = await doCall(told, servers, permission, call.arguments);
  const code: JsonObject = "code" in done ? { code: String(done.code) } : {};
  await post(told, "/tool-result", { id, name, ok: done.ok, bytes: done.text.length, ...code });
  return reply(done.text);
}

async function doCall(
  told: Told,
  servers: McpServers,
  { builtIn, run, server, tool }: Permission,
  text: string,
): Promise<ToolDone> {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    given = null;
  }
  if (!isObject(given)) return { ok: false, text: "the arguments are not a JSON object" };
  if (server !== undefined) return await servers.call(server, String(tool), given as JsonObject);
  if (run !== undefined) {
    const { ok, text: out } = await runCommand(run).catch((error: Error) => ({
      ok: false,
      text: error.message,
    }));
    return { ok, text: shortened(out) };
  }
  return await runTool(String(builtIn), given as JsonObject, told.commands);
}

function post(told: Told, path: string, body: JsonObject): Promise<JsonObject> {
  const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
  const text = JSON.stringify(body);
  const sent = httpRequest(
    {
      socketPath: told.socket,
      path,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
        "x-nonce": told.nonce,
      },
    },
    (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const value = JSON.parse(Buffer.concat(parts).toString("utf8") || "{}") as JsonObject;
        if (response.statusCode === 200) resolve(value);
        else reject(new Ended(String(value["error"] ?? `the broker answered ${response.statusCode}`)));
      });
    },
  );
  sent.on("error", (error) => reject(new Ended(`the broker is gone: ${error.message}`)));
  sent.end(text);
  return promise;
}
