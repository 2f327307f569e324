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

function createStream(matcher: Matcher): StreamRedactor {
  let pending: Uint8Array = EMPTY;
  /** So many bytes of `pending` belong to a match that is already masked. */
  let covered = 0;

  const emit = (text: Uint8Array, end: number): Uint8Array => {
    const parts: Uint8Array[] = [];
    let written = covered;
    let coveredTo = covered;
    matcher.scan(text, 0, end, (start, length) => {
      // Matches that overlap become one mask: the union is hidden, not just the first of them.
      if (start >= coveredTo) {
        if (start > written) parts.push(text.subarray(written, start));
        parts.push(MASK_BYTES);
      }
      coveredTo = Math.max(coveredTo, start + length);
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
      const hold = matcher.holdFrom(text);
      const out = emit(text, hold);
      pending = hold === text.length ? EMPTY : text.slice(hold);
      return out;
    },
    flush() {
      const out = emit(pending, pending.length);
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
