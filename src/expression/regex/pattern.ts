import type { CharacterSet } from "./characters.ts";

/** A regular expression as a tree. */
export type Pattern =
  | { readonly kind: "empty" }
  | { readonly kind: "character"; readonly code: number; readonly ignoreCase: boolean }
  | { readonly kind: "set"; readonly set: CharacterSet }
  | { readonly kind: "sequence"; readonly items: readonly Pattern[] }
  | { readonly kind: "choice"; readonly items: readonly Pattern[] }
  | {
      readonly kind: "repeat";
      readonly body: Pattern;
      readonly least: number;
      readonly most: number;
      readonly mode: "greedy" | "lazy" | "possessive";
    }
  | { readonly kind: "group"; readonly body: Pattern; readonly index: number }
  | { readonly kind: "atomic"; readonly body: Pattern }
  | { readonly kind: "look"; readonly body: Pattern; readonly behind: boolean; readonly negative: boolean }
  | { readonly kind: "reference"; readonly groups: readonly number[]; readonly ignoreCase: boolean }
  | { readonly kind: "anchor"; readonly at: Anchor }
  | { readonly kind: "keep" };

export type Anchor =
  | "text-start"
  | "text-end"
  | "text-end-or-newline"
  | "line-start"
  | "line-end"
  | "word"
  | "not-word"
  | "search-start";

export interface Flags {
  readonly ignoreCase: boolean;
  readonly extended: boolean;
  /** `.` takes a newline too. */
  readonly dotAll: boolean;
  /** `^` and `$` match at every line. */
  readonly lines: boolean;
}

export interface ParsedPattern {
  readonly root: Pattern;
  /** The name of each group or null, from group 1 on. */
  readonly names: readonly (string | null)[];
}
