import { fail } from "../../base/errors.ts";

/** The argument that names bytes. */
export const DIGEST = {
  name: "sha256",
  label: "digest",
  ids: "artifact",
  about: "64 hex digits, with or without `sha256:`",
} as const;

/** @throws Failure `usage` for what is none */
export function digestOf(argument: string): string {
  const digest = argument.replace(/^sha256:/, "");
  if (/^[0-9a-f]{64}$/.test(digest)) return digest;
  throw fail("usage", `${argument} is no digest: one has 64 hex digits`, {
    hint: "see `lightflow artifact list`",
  });
}
