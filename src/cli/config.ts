import { existsSync, readFileSync } from "node:fs";
import { type Static, Type } from "@sinclair/typebox";
import { LineCounter, parseDocument } from "yaml";
import { fail } from "../base/errors.ts";
import { LOG_LEVELS } from "../base/log.ts";
import { misfit } from "../base/misfit.ts";
import { SANDBOX_CHOICES, type SettingValues } from "./settings.ts";
import { offsetOf } from "./yaml-place.ts";

const oneOf = <Choice extends string>(choices: readonly Choice[]) =>
  Type.Union(choices.map((choice) => Type.Literal(choice)));
const portNumber = Type.Integer({ minimum: 0, maximum: 65_535 });

/** The closed schema of `config.yaml`. */
export const ConfigFile = Type.Object(
  {
    host: Type.Optional(Type.String({ minLength: 1 })),
    port: Type.Optional(portNumber),
    controllerPort: Type.Optional(portNumber),
    logLevel: Type.Optional(oneOf(LOG_LEVELS)),
    root: Type.Optional(Type.String({ minLength: 1 })),
    ctx: Type.Optional(Type.String({ minLength: 1 })),
    historyDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 36_500 })),
    runner: Type.Optional(
      Type.Object(
        {
          slots: Type.Optional(Type.Integer({ minimum: 0, maximum: 1024 })),
          sandbox: Type.Optional(oneOf(SANDBOX_CHOICES)),
          browser: Type.Optional(Type.String({ pattern: "^/" })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type ConfigFile = Static<typeof ConfigFile>;

/** The settings that `config.yaml` gives, by dotted name; none when there is no file. */
export function readConfigFile(path: string): SettingValues {
  if (!existsSync(path)) return {};
  return parseConfig(readFileSync(path, "utf8"), path);
}

/**
 * Parse and check the text of a `config.yaml`.
 * @param path only for messages: `path:line:column: what is wrong`
 */
export function parseConfig(text: string, path: string): SettingValues {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw refuse(`${at(broken.pos[0])}: ${broken.message}`);
  // Aliases are of no use in so small a file, and expanding them is how a small file becomes a large one.
  const value: unknown = document.toJS({ maxAliasCount: 0 }) ?? {};
  const wrong = misfit(ConfigFile, value);
  if (wrong !== undefined) {
    const { keys, reason } = wrong;
    throw refuse(`${at(offsetOf(document.contents, keys))}: ${keys.join(".") || "the file"}: ${reason}`);
  }
  return flatten(value as ConfigFile);
}

function refuse(message: string): Error {
  return fail("schema_violation", message, { hint: "see lightflow config --help" });
}

function flatten(file: ConfigFile): SettingValues {
  const { runner, ...rest } = file;
  const result: Record<string, string | number> = { ...rest };
  for (const [key, value] of Object.entries(runner ?? {})) result[`runner.${key}`] = value;
  return result;
}
