import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../base/pointer.ts";

/** A small seeded generator (mulberry32): the same mutations on every machine. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Slot {
  readonly holder: JsonObject | Json[];
  readonly key: string;
  readonly pointer: string;
}

function slotsOf(value: Json, pointer = ""): Slot[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => [
      { holder: value, key: String(index), pointer: joinPointer(pointer, index) },
      ...slotsOf(item, joinPointer(pointer, index)),
    ]);
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((key) => [
    { holder: value as JsonObject, key, pointer: joinPointer(pointer, key) },
    ...slotsOf((value as JsonObject)[key]!, joinPointer(pointer, key)),
  ]);
}

const get = ({ holder, key }: Slot): Json => (holder as JsonObject)[key]!;
const put = ({ holder, key }: Slot, value: Json): void => {
  (holder as JsonObject)[key] = value;
};

const OTHERS: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  "",
  "text",
  "PT5S",
  "${ .a }",
  "${ .a\n| .b }",
  "https://example.com/{id}",
  "https://example.com/a b",
  "1.0",
  [],
  {},
  { a: 1 },
  ["a"],
  [{ a: { set: { b: 1 } } }],
  { seconds: 1 },
  { use: "name" },
  { resource: { endpoint: "https://example.com" } },
];
const NAMES = [
  "extra",
  "if",
  "do",
  "with",
  "then",
  "read",
  "detail",
  "use",
  "until",
  "after",
  "source",
  "foreach",
];

/**
 * One random change of a copy: a member removed, added, renamed, replaced by a value of another kind or by a part of
 * another document, or moved beside a sibling's members.
 */
export function mutate(document: Json, pool: readonly Json[], random: (below: number) => number): Json {
  const copy = structuredClone(document);
  const slots = slotsOf(copy);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const slot = pick(slots);
  switch (random(6)) {
    case 0:
      if (Array.isArray(slot.holder)) slot.holder.splice(Number(slot.key), 1);
      else delete slot.holder[slot.key];
      break;
    case 1: {
      const holders = slots.filter((other) => isObject(get(other)));
      const target = holders.length === 0 ? undefined : (get(pick(holders)) as JsonObject);
      if (target !== undefined) target[pick(NAMES)] = structuredClone(pick(OTHERS));
      break;
    }
    case 2:
      if (!Array.isArray(slot.holder)) {
        const value = slot.holder[slot.key]!;
        delete slot.holder[slot.key];
        slot.holder[`${slot.key}${pick(["s", "X", ""])}${pick(["", "y"])}`] = value;
      }
      break;
    case 3: {
      const donors = slotsOf(structuredClone(pick(pool)));
      const same = donors.filter((donor) => donor.key === slot.key);
      put(slot, get(pick(same.length > 0 && random(2) === 0 ? same : donors)));
      break;
    }
    case 4: {
      const donor = pick(slotsOf(structuredClone(pick(pool))));
      if (!Array.isArray(slot.holder) && !Array.isArray(donor.holder)) slot.holder[donor.key] = get(donor);
      break;
    }
    default:
      put(slot, structuredClone(pick(OTHERS)));
  }
  return copy;
}
