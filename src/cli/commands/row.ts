import type { CommandModule } from "../spec.ts";

/** One command: where it stands on the command line, what it is for, and the file that does it. */
export interface CommandRow {
  readonly path: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
  /** A group without its second word, asked for help: `run` shows it. */
  readonly group?: boolean;
}
