import { fail } from "../../base/errors.ts";

export const EVENT_SEQ = { name: "event", label: "event number", about: "as `event list` shows it" } as const;

export function eventSeq(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw fail("usage", `not the number of an event: ${text}`);
  return Number(text);
}
