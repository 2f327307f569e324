import { existsSync, readFileSync } from "node:fs";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value, ValueErrorType } from "@sinclair/typebox/value";
import { LineCounter, parseDocument } from "yaml";
import { nearest } from "../assets/nearest.ts";
import { fail } from "../base/errors.ts";
import { LOG_LEVELS } from "../base/log.ts";
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
  const [wrong] = Value.Errors(ConfigFile, value);
  if (wrong !== undefined) {
    const keys = wrong.path.split("/").slice(1);
    throw refuse(`${at(offsetOf(document.contents, keys))}: ${explain(keys, wrong.type, wrong.schema)}`);
  }
  return flatten(value as ConfigFile);
}

function refuse(message: string): Error {
  return fail("schema_violation", message, { hint: "see lightflow config --help" });
}

function explain(keys: readonly string[], type: ValueErrorType, schema: TSchema): string {
  const name = keys.join(".") || "the file";
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    const siblings = keys.length > 1 ? ConfigFile.properties.runner.properties : ConfigFile.properties;
    return `unknown setting ${name}${nearest(keys.at(-1)!, Object.keys(siblings), "; did you mean ")}`;
  }
  if (schema.anyOf)
    return `${name} must be ${schema.anyOf.map((each: { const: string }) => each.const).join("|")}`;
  if (schema.type === "integer")
    return `${name} must be an integer from ${schema["minimum"]} to ${schema["maximum"]}`;
  if (schema.type === "string") return `${name} must be a text that is not empty`;
  return `${name} must be a mapping of settings`;
}

function flatten(file: ConfigFile): SettingValues {
  const { runner, ...rest } = file;
  const result: Record<string, string | number> = { ...rest };
  for (const [key, value] of Object.entries(runner ?? {})) result[`runner.${key}`] = value;
  return result;
}
