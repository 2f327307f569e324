import { Type } from "@sinclair/typebox";
import { KIB } from "../../base/limits.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, nullable, oneOf, Text } from "../shapes.ts";
import { Digest, knownArtifact } from "./known.ts";

/** What one answer may carry; more comes by `offset`, or as bytes from `/artifacts/:sha256`. */
const PART = 512 * KIB;

export const readArtifact = defineOperation({
  name: "artifact.read",
  scope: "read",
  summary: "A part of an artifact's bytes as text or base64",
  method: "GET",
  path: "/artifacts/:sha256/content",
  input: closed({
    sha256: Digest,
    offset: Type.Optional(Type.Integer({ minimum: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PART })),
  }),
  output: closed({
    sha256: Text,
    size: Integer,
    media_type: Text,
    name: nullable(Text),
    offset: Integer,
    encoding: oneOf("utf-8", "base64"),
    data: Text,
    next_offset: nullable(Integer),
  }),
  async run(context, input) {
    const known = knownArtifact(context, input.sha256);
    const offset = Math.min(input.offset ?? 0, known.size);
    const end = Math.min(offset + (input.limit ?? PART), known.size);
    const bytes = await context.artifacts.open(known.sha256, { start: offset, end }).bytes();
    const text = textOf(bytes);
    return {
      ...known,
      offset,
      encoding: text === null ? ("base64" as const) : ("utf-8" as const),
      data: text ?? Buffer.from(bytes).toString("base64"),
      next_offset: end < known.size ? end : null,
    };
  },
});

/** The bytes as text, where they are whole characters. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
