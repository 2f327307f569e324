import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { ServiceContext } from "../context.ts";
import { AnyObject, closed, Integer, named, nullable, oneOf, Text } from "../shapes.ts";

export const KINDS = {
  workflows: "workflow",
  nodes: "node",
  compositions: "composition",
  models: "model",
} as const;
export const Kind = oneOf("workflows", "nodes", "compositions", "models");
export const ProjectRoot = Type.Optional(Type.String({ minLength: 1, maxLength: 4096 }));

export const AssetRecord = named(
  "AssetRecord",
  closed({
    meta: closed({
      id: Text,
      title: Text,
      kind: oneOf("model", "node", "composition", "workflow"),
      description: Text,
      stability: oneOf("draft", "experimental", "stable"),
    }),
    source_path: Text,
    builtin: Type.Boolean(),
    source_sha256: Text,
  }),
);
export const Diagnostic = named(
  "AssetDiagnostic",
  closed({
    code: Text,
    severity: oneOf("error", "warning"),
    path: Text,
    line: Integer,
    column: Integer,
    message: Text,
    hint: Text,
  }),
);
export const Card = named(
  "AssetCard",
  closed({
    record: AssetRecord,
    version: nullable(Text),
    /** Ports, what it does, which models it needs: as its `define()` says. */
    definition: nullable(AnyObject),
    diagnostics: Type.Array(Diagnostic),
  }),
);

/** The project that a call is about. @throws Failure `forbidden` for another one than the served, but on the Unix socket */
export function projectOf(context: ServiceContext, root: string | undefined): string {
  if (root !== undefined && !context.trustsPaths) {
    throw fail("forbidden", "only a caller on the Unix socket may name a project directory");
  }
  return root ?? context.root;
}
