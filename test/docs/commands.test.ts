import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArguments } from "../../src/cli/arguments.ts";
import { GLOBAL_FLAGS } from "../../src/cli/global-flags.ts";
import { COMMANDS, findCommand } from "../../src/cli/table.ts";

const root = join(import.meta.dir, "../..");
const documents = [
  "README.md",
  "AGENTS.md",
  "src/builtins/SKILL.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
]
  .filter((path) => path.endsWith(".md"))
  .map((path) => [path, readFileSync(join(root, path), "utf8")] as const);

/** The words of each call of lightflow in a line of shell, up to what redirects, pipes or comments. */
function calls(line: string): string[][] {
  const found: string[][] = [];
  let words: string[] = [];
  const end = () => {
    const at = words.findIndex((word) => /(^|\/)lightflow$/.test(word));
    if (at !== -1 && words.slice(0, at).every((word) => /^\w+=/.test(word) || word === "sudo"))
      found.push(words.slice(at + 1));
    words = [];
  };
  for (const token of line.match(
    /'[^']*'|"[^"]*"|#.*|[|;&()<>]+|(?:[^\s'"|;&()<>#]|(?<=\S)#|'[^']*'|"[^"]*")+/g,
  ) ?? []) {
    if (token.startsWith("#")) break;
    if (/^[|;&()]+$/.test(token) || /^[<>]+\(?$/.test(token)) {
      end();
      continue;
    }
    words.push(token.replace(/^(['"])(.*)\1$/s, "$2"));
  }
  end();
  return found;
}

function shellLines(text: string): string[] {
  return [...text.matchAll(/```(?:sh|bash)\n([\s\S]*?)```/g)].flatMap((block) =>
    block[1]!.replaceAll("\\\n", " ").split("\n"),
  );
}

/** What the command line itself says of a call; null when it would run. */
async function refusalOf(words: readonly string[]): Promise<string | null> {
  if (words[0] === "--version") return null;
  try {
    const { row, rest } = findCommand(words, words.includes("--help"));
    parseArguments(row.path, (await row.load()).spec, rest, {});
    return null;
  } catch (error) {
    return `lightflow ${words.join(" ")}: ${(error as Error).message}`;
  }
}

test("every example in the help of a command is a call that it understands", async () => {
  const wrong: (string | null)[] = [];
  for (const { path, load } of COMMANDS) {
    const shown = (await load()).spec.examples.flatMap(({ command }) => calls(command));
    for (const words of shown) wrong.push(await refusalOf(words));
    if (shown.length === 0) wrong.push(`${path} has no example`);
  }
  expect(wrong.filter((each) => each !== null)).toEqual([]);
});

test("every command in a block of shell in the documents is one, with its flags and arguments", async () => {
  const wrong: string[] = [];
  let count = 0;
  for (const [path, text] of documents) {
    for (const words of shellLines(text).flatMap(calls)) {
      count++;
      const refusal = await refusalOf(words);
      if (refusal !== null) wrong.push(`${path}: ${refusal}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThanOrEqual(60);
});

test("every command that the text of a document names is one, and has the flags that are named with it", async () => {
  const wrong: string[] = [];
  let count = 0;
  for (const [path, text] of documents) {
    for (const [, code] of text.replaceAll(/```[\s\S]*?```/g, "").matchAll(/`lightflow ([^`]+)`/g)) {
      const words = code!.split(/\s+/).flatMap((word) => (word === "|" ? [] : [word.split("|")[0]!]));
      count++;
      try {
        if (/^(-|[A-Z])/.test(words[0]!)) continue;
        const { row } = findCommand(words, true);
        const flags = { ...GLOBAL_FLAGS, ...(await row.load()).spec.flags };
        for (const word of words.filter((each) => each.startsWith("--")))
          if (!Object.hasOwn(flags, word.slice(2).split("=")[0]!)) wrong.push(`${path}: ${code}: no ${word}`);
      } catch (error) {
        wrong.push(`${path}: ${code}: ${(error as Error).message}`);
      }
    }
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(30);
});
