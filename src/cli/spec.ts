import type { Io } from "./io.ts";

/** What an argument names, so that a shell can offer the ids that exist. */
export type IdKind =
  | "agent"
  | "approval"
  | "artifact"
  | "batch"
  | "hold"
  | "model"
  | "pool"
  | "profile"
  | "publication"
  | "run"
  | "runner"
  | "secret"
  /** Of the run that stands before it. */
  | "step"
  /** Of the inbox. */
  | "task"
  | "template"
  | "tenant"
  | "token"
  | "upload"
  | "webhook"
  | "workflow";

/** One positional argument. `label` is what messages call it: `missing run id`. */
export interface PositionalSpec {
  readonly name: string;
  readonly label: string;
  readonly about?: string;
  readonly choices?: readonly string[];
  readonly ids?: IdKind;
  readonly optional?: boolean;
  /** Takes all that is left, after `--` too; only the last positional may. */
  readonly rest?: boolean;
}

interface FlagCommon {
  readonly about: string;
  readonly required?: boolean;
  /** The environment variable that stands in when the flag is not given. */
  readonly env?: string;
  /** The default as help shows it, where the command computes it. */
  readonly defaultText?: string;
}

/** One flag, by its kind. `value` is the placeholder in help. */
export type FlagSpec =
  | (FlagCommon & { readonly type: "boolean" })
  | (FlagCommon & {
      readonly type: "string";
      readonly value: string;
      readonly choices?: readonly string[];
      readonly ids?: IdKind;
      readonly default?: string;
    })
  | (FlagCommon & {
      readonly type: "integer";
      readonly value: string;
      readonly minimum?: number;
      readonly maximum?: number;
      readonly default?: number;
    })
  /** May be repeated; the values in order. */
  | (FlagCommon & {
      readonly type: "list";
      readonly value: string;
      readonly choices?: readonly string[];
      readonly ids?: IdKind;
    })
  /** `--set key=value`, may be repeated; a key only once. */
  | (FlagCommon & { readonly type: "pairs"; readonly value: string });

export interface Example {
  readonly command: string;
  readonly does: string;
}

/** What a command file exports as `spec`. */
export interface CommandSpec {
  readonly description?: string;
  readonly positionals?: readonly PositionalSpec[];
  readonly flags?: Readonly<Record<string, FlagSpec>>;
  readonly examples: readonly Example[];
  /** Exit codes that mean something particular here, beside the common table. */
  readonly exits?: Readonly<Record<number, string>>;
}

type ChoiceOf<Spec> = Spec extends { choices: readonly (infer Choice extends string)[] } ? Choice : string;

type Absent<Spec> = Spec extends { required: true }
  ? never
  : Spec extends { default: unknown }
    ? never
    : undefined;

type FlagValue<Spec> = Spec extends { type: "boolean" }
  ? boolean
  : Spec extends { type: "list" }
    ? readonly ChoiceOf<Spec>[]
    : Spec extends { type: "pairs" }
      ? ReadonlyMap<string, string>
      : Spec extends { type: "integer" }
        ? number | Absent<Spec>
        : ChoiceOf<Spec> | Absent<Spec>;

type PositionalValue<Spec> = Spec extends { rest: true }
  ? readonly string[]
  : Spec extends { optional: true }
    ? ChoiceOf<Spec> | undefined
    : ChoiceOf<Spec>;

type FlagsOf<Spec> = Spec extends { flags: infer Flags } ? Flags : Record<never, never>;
type PositionalsOf<Spec> = Spec extends { positionals: readonly (infer Each)[] } ? Each : never;

/** The parsed arguments of a command, typed by its `spec`. */
export interface Arguments<Spec extends CommandSpec = CommandSpec> {
  readonly positionals: {
    readonly [Each in PositionalsOf<Spec> as Each extends { name: infer Name extends string }
      ? Name
      : never]: PositionalValue<Each>;
  };
  readonly flags: { readonly [Name in keyof FlagsOf<Spec>]: FlagValue<FlagsOf<Spec>[Name]> };
  /** The names of the flags that stood on the command line itself. */
  readonly given: ReadonlySet<string>;
}

/**
 * What a command file exports as `run`: does the work and returns the exit code.
 * @example
 * export const spec = { positionals: [{ name: "run", label: "run id" }], examples: [...] } as const satisfies CommandSpec;
 * export const run: Run<typeof spec> = async ({ positionals }, io) => { io.print(await get(positionals.run)); return 0; };
 */
export type Run<Spec extends CommandSpec> = (args: Arguments<Spec>, io: Io) => Promise<number>;

export interface CommandModule {
  readonly spec: CommandSpec;
  // Each command's `run` is typed by its own spec; the dispatcher pairs the two again.
  readonly run: (args: never, io: Io) => Promise<number>;
}
