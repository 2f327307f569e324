import type { TSchema } from "@sinclair/typebox";
import type { Json } from "../../base/json.ts";
import type { DiagnosticCode } from "../diagnostics.ts";

/** Says that an argument is wrong. `argument` counts from 0; `path` leads into it. Never returns. */
export type Refuse = (
  argument: number,
  path: readonly string[],
  code: DiagnosticCode,
  message: string,
  hint: string,
) => never;

/** One method of a builder: what it takes and what it does to the definition being built. */
export interface Method<Definition> {
  /** For messages: `(stepId, options)`. */
  readonly usage: string;
  readonly required: readonly TSchema[];
  readonly optional: readonly TSchema[];
  apply(definition: Definition, args: Json[], refuse: Refuse): void;
}

export type Methods<Definition> = Readonly<Record<string, Method<Definition>>>;
