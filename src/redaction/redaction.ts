import { isObject, type Json } from "../base/json.ts";
import { MINIMUM_SECRET_BYTES, needlesOf } from "./encodings.ts";
import { createMatcher, type Matcher } from "./matcher.ts";

export const MASK = "***";
const MASK_BYTES = Buffer.from(MASK);
const EMPTY = new Uint8Array(0);

/** Masks one stream of bytes. What it returns may be a view of what it was given: use it before the next call. */
export interface StreamRedactor {
  push(bytes: Uint8Array): Uint8Array;
  /** What was held back at the end of the stream. */
  flush(): Uint8Array;
}

/** Masks the secrets of one task wherever they appear. */
export interface Redaction {
  /** Number of secrets that are too short to be masked: worth a warning. */
  readonly tooShort: number;
  stream(): StreamRedactor;
  text(text: string): string;
  /** Strings and member names of a JSON value. */
  json(value: Json): Json;
}

/** Line breaks are no part of a match: `base64` and `fold` break what they print, and a terminal wraps it. */
const isBreak = (byte: number): boolean => byte === 10 || byte === 13;

/** How far the end of a text may hold back a beginning of a secret for the line breaks in it. */
const LONGEST_BREAKS = 65_536;

const SCRATCH_BYTES = 1_048_576;
let scratch = EMPTY;

/** The bytes without line breaks. A view of memory that the next call uses again. */
function withoutBreaks(text: Uint8Array): Uint8Array {
  // A single large text must not stay as memory of the process.
  if (text.length > SCRATCH_BYTES) return text.filter((byte) => !isBreak(byte));
  if (scratch.length < text.length) scratch = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (byte !== 10 && byte !== 13) scratch[length++] = byte;
  }
  return scratch.subarray(0, length);
}

/**
 * Places of a text by those of the same text without line breaks. It only goes forward: for a place before one that was
 * asked it gives that one.
 */
function placesIn(text: Uint8Array): (joined: number) => number {
  let at = 0;
  let passed = 0;
  return (joined) => {
    for (; at < text.length && (passed < joined || isBreak(text[at]!)); at++) {
      if (!isBreak(text[at]!)) passed++;
    }
    return at;
  };
}

function createStream(matcher: Matcher): StreamRedactor {
  let pending: Uint8Array = EMPTY;
  /** So many bytes of `pending` belong to a match that is already masked. */
  let covered = 0;

  /** Mask what begins before `to` of `joined`, and give the text up to `end`, which is the same place. */
  const emit = (text: Uint8Array, end: number, joined: Uint8Array, to: number): Uint8Array => {
    const parts: Uint8Array[] = [];
    let written = covered;
    let coveredTo = covered;
    const startOf = placesIn(text);
    const lastOf = placesIn(text);
    matcher.scan(joined, 0, to, (found, length) => {
      const start = startOf(found);
      // Matches that overlap become one mask: the union is hidden, not just the first of them.
      if (start >= coveredTo) {
        if (start > written) parts.push(text.subarray(written, start));
        parts.push(MASK_BYTES);
      }
      coveredTo = Math.max(coveredTo, lastOf(found + length - 1) + 1);
      written = coveredTo;
    });
    if (written < end) parts.push(text.subarray(written, end));
    covered = Math.max(0, coveredTo - end);
    if (parts.length === 0) return EMPTY;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  };

  return {
    push(bytes) {
      const text = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      const joined = withoutBreaks(text);
      const placeOf = placesIn(text);
      let hold = matcher.holdFrom(joined, 0);
      while (hold < joined.length && text.length - placeOf(hold) > matcher.longest + LONGEST_BREAKS) {
        hold = matcher.holdFrom(joined, hold + 1);
      }
      const end = hold === joined.length ? text.length : placeOf(hold);
      const out = emit(text, end, joined, hold);
      pending = end === text.length ? EMPTY : text.slice(end);
      return out;
    },
    flush() {
      const joined = withoutBreaks(pending);
      const out = emit(pending, pending.length, joined, joined.length);
      pending = EMPTY;
      covered = 0;
      return out;
    },
  };
}

const PASS: StreamRedactor = { push: (bytes) => bytes, flush: () => EMPTY };

/** @example createRedaction([token]).text(`Bearer ${token}`) // "Bearer ***" */
export function createRedaction(secrets: Iterable<string>): Redaction {
  const all = [...secrets];
  const tooShort = all.filter((secret) => Buffer.byteLength(secret.trim()) < MINIMUM_SECRET_BYTES).length;
  const needles = needlesOf(all);
  if (needles.length === 0) {
    return { tooShort, stream: () => PASS, text: (text) => text, json: (value) => value };
  }
  const matcher = createMatcher(needles);
  const stream = () => createStream(matcher);
  const text = (value: string): string => {
    const redactor = stream();
    const head = Buffer.from(redactor.push(Buffer.from(value)));
    return Buffer.concat([head, redactor.flush()]).toString();
  };
  const json = (value: Json): Json => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(json);
    if (isObject(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([key, member]) => [text(key), json(member as Json)]),
      );
    }
    return value;
  };
  return { tooShort, stream, text, json };
}
