import { COLLECTIONS } from "./collections.ts";
import { CORE } from "./core.ts";
import { DATES } from "./dates.ts";
import type { Native } from "./define.ts";
import { MATH } from "./math.ts";
import { PATHS } from "./paths.ts";
import { REGEXES } from "./regexes.ts";
import { STREAMS } from "./streams.ts";
import { STRINGS } from "./strings.ts";

/** Functions written in TypeScript, by `name/arity`. */
export const NATIVES: ReadonlyMap<string, Native> = new Map(
  Object.entries({
    ...CORE,
    ...STREAMS,
    ...PATHS,
    ...COLLECTIONS,
    ...STRINGS,
    ...MATH,
    ...DATES,
    ...REGEXES,
  }),
);
