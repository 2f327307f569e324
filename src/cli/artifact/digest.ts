/** The argument that names bytes. */
export const DIGEST = {
  name: "sha256",
  label: "digest",
  ids: "artifact",
  about: "64 hex digits, with or without `sha256:`",
} as const;

export const digestOf = (argument: string): string => argument.replace(/^sha256:/, "");
