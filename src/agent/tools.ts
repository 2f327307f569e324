import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { childEnvironment } from "../base/child-env.ts";
import type { JsonObject } from "../base/json.ts";

export interface ToolDone {
  readonly ok: boolean;
  readonly text: string;
}

export interface NamedCommand {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  /** Below the workspace; the workspace itself unless said. */
  readonly directory?: string;
  readonly timeoutMs?: number;
}

/** What a model sees of one result: more would only push out what it knows. */
const RESULT_CHARACTERS = 48 * 1024;
const FILES = 5000;
const COMMAND_MS = 600_000;

/** Long results keep their beginning and their end: a test's verdict stands last. */
export function shortened(text: string): string {
  if (text.length <= RESULT_CHARACTERS) return text.toWellFormed();
  const half = RESULT_CHARACTERS / 2;
  const left = text.length - RESULT_CHARACTERS;
  return `${text.slice(0, half)}\n[… ${left} characters left out …]\n${text.slice(-half)}`.toWellFormed();
}

const wrong = (text: string): ToolDone => ({ ok: false, text });

/** One tool of the lease. What goes wrong is text for the model, never an end of the worker. */
export async function runTool(
  name: string,
  given: JsonObject,
  commands: readonly NamedCommand[],
): Promise<ToolDone> {
  try {
    const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined;
    if (tool === undefined) return wrong(`there is no tool ${name}`);
    const done = await tool(given, commands);
    return { ok: done.ok, text: shortened(done.text) };
  } catch (error) {
    return wrong((error as Error).message.slice(0, 2000));
  }
}

type Tool = (given: JsonObject, commands: readonly NamedCommand[]) => Promise<ToolDone>;

const TOOLS: Readonly<Record<string, Tool>> = {
  async list({ path }) {
    const root = inside(path === undefined ? "." : text(path, "path"));
    const found = [...walk(root)];
    return { ok: true, text: found.map((each) => relative(process.cwd(), each)).join("\n") };
  },
  async read({ path }) {
    const file = inside(text(path, "path"));
    if (lstatSync(file).size > 16 * 1024 * 1024) return wrong("the file is larger than 16 MiB");
    return { ok: true, text: readFileSync(file, "utf8") };
  },
  async search({ text: wanted, path }) {
    const needle = text(wanted, "text");
    const lines: string[] = [];
    for (const file of walk(inside(path === undefined ? "." : text(path, "path")))) {
      if (lstatSync(file).size > 1024 * 1024) continue;
      const name = relative(process.cwd(), file);
      for (const [index, line] of readFileSync(file, "utf8").split("\n").entries())
        if (line.includes(needle)) lines.push(`${name}:${index + 1}: ${line.slice(0, 300)}`);
      if (lines.length > 500) break;
    }
    return { ok: true, text: lines.length === 0 ? "nothing found" : lines.join("\n") };
  },
  async write({ path, content }) {
    const file = inside(text(path, "path"));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text(content, "content", true));
    return { ok: true, text: "written" };
  },
  async patch({ path, old, new: fresh }) {
    const file = inside(text(path, "path"));
    const before = readFileSync(file, "utf8");
    const part = text(old, "old");
    const at = before.indexOf(part);
    if (at < 0) return wrong("the file does not hold the text `old`");
    if (before.indexOf(part, at + 1) >= 0) return wrong("the file holds the text `old` more than once");
    writeFileSync(file, before.slice(0, at) + text(fresh, "new", true) + before.slice(at + part.length));
    return { ok: true, text: "patched" };
  },
  async run({ command }, commands) {
    const found = commands.find(({ name }) => name === command);
    if (found === undefined)
      return wrong(
        `there is no command ${String(command)}; there are ${commands.map(({ name }) => name).join(", ")}`,
      );
    return await runCommand(found);
  },
};

/** How long the output of a command is still read once it has ended: what it left behind may hold the pipes. */
const PIPE_MS = 1000;

/** A command to its end, and the end of what it started. */
export async function runCommand({
  command,
  arguments: given,
  directory,
  timeoutMs,
}: Omit<NamedCommand, "name">): Promise<ToolDone> {
  const limitMs = Math.min(timeoutMs ?? COMMAND_MS, COMMAND_MS);
  const child = Bun.spawn([command, ...given], {
    env: childEnvironment(process.env),
    ...(directory === undefined ? {} : { cwd: inside(directory) }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  let isLate = false;
  const end = (): void => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // Nobody is left in its group.
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, limitMs);
  const [out, errors] = [drained(child.stdout), drained(child.stderr)];
  const code = await child.exited;
  clearTimeout(timer);
  end();
  await Promise.race([Promise.all([out.done, errors.done]), Bun.sleep(PIPE_MS)]);
  const how = isLate ? `ended after ${limitMs} ms` : `exit code ${code}`;
  const said = [out.text(), errors.text()].filter((text, index) => index === 0 || text !== "");
  return { ok: code === 0, text: [how, ...said].join("\n") };
}

/** The beginning and the end of a stream, whatever its length. */
function drained(stream: ReadableStream<Uint8Array>): { text(): string; done: Promise<void> } {
  let text = "";
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const part of stream) {
      text += decoder.decode(part, { stream: true });
      if (text.length > 8 * RESULT_CHARACTERS) text = shortened(text);
    }
  };
  return { text: () => text, done: read().catch(() => {}) };
}

function text(value: unknown, name: string, empty = false): string {
  if (typeof value !== "string" || (value === "" && !empty)) throw new Error(`${name} must be a text`);
  return value;
}

/** A path of the workspace: a help for the model. What holds it there is the sandbox, and the look at the changes. */
function inside(path: string): string {
  const root = process.cwd();
  const full = join(root, path);
  let real = full;
  for (let at = full; ; at = dirname(at)) {
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    real = join(realpathSync(at), relative(at, full));
    break;
  }
  const base = realpathSync(root);
  if (real !== base && !real.startsWith(`${base}/`)) throw new Error(`${path} is not in the workspace`);
  return real;
}

function* walk(root: string, left = { files: FILES }): Generator<string> {
  if (!lstatSync(root).isDirectory()) {
    yield root;
    return;
  }
  for (const entry of readdirSync(root, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name === ".git" || entry.name === "node_modules") continue;
    const path = join(root, entry.name);
    if (entry.isDirectory()) yield* walk(path, left);
    else if (entry.isFile() && left.files-- > 0) yield path;
  }
}
