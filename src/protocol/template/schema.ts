import { type Static, Type } from "@sinclair/typebox";
import { Count, closed, Name } from "../common.ts";
import { INNER_PATTERN, PATH_PATTERN } from "../policy.ts";

const Text = Type.String({ maxLength: 4096 });

/** A place in the argument vector that a task fills. */
export const TemplateSlot = closed({
  name: Name,
  /** Where it stands in the finished vector, from 0, the program not counted. The fixed arguments fill the other places. */
  argumentIndex: Type.Integer({ minimum: 0, maximum: 255 }),
  /** A slot that may be left empty is left out of the vector. */
  required: Type.Optional(Type.Boolean()),
  allowedValues: Type.Optional(Type.Array(Text, { minItems: 1, maxItems: 256 })),
  /** Of the whole value: literals, classes, groups, alternatives, repetitions. */
  pattern: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  /** In UTF-8; 1024 where nothing is said. */
  maximumBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 4096 })),
  /** The program reads a value that begins with `-` as an option: only where this is what is meant. */
  leadingDash: Type.Optional(Type.Boolean()),
});
export type TemplateSlot = Static<typeof TemplateSlot>;

/** A command that an operator approved: one program, its arguments, and what a task may put in. No shell reads it. */
export const CommandTemplate = closed({
  id: Name,
  description: Type.Optional(Text),
  /** What a document writes in its `run.shell.command`; without it the template's id. */
  command: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  executable: Type.String({ minLength: 2, maxLength: 4096, pattern: PATH_PATTERN }),
  fixedArguments: Type.Optional(Type.Array(Text, { maxItems: 256 })),
  slots: Type.Optional(Type.Array(TemplateSlot, { maxItems: 64 })),
  /** Inside the workspace. */
  workingDirectory: Type.Optional(Type.String({ maxLength: 1024, pattern: INNER_PATTERN })),
  environmentNames: Type.Optional(
    Type.Array(Type.String({ maxLength: 128, pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), { maxItems: 64 }),
  ),
  stdin: Type.Optional(Type.Boolean()),
  /** What it does for policy: `publish`, `sign` and `tag` ask for an approval and a sandbox of their own. */
  action: Type.Optional(Name),
  capabilities: Type.Optional(Type.Array(Name, { maxItems: 64 })),
  limits: Type.Optional(closed({ taskMs: Type.Optional(Count), logBytes: Type.Optional(Count) })),
});
export type CommandTemplate = Static<typeof CommandTemplate>;
