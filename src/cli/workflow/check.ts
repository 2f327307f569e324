import { refusals } from "../../engine/index.ts";
import { type Diagnostic, diagnosticText, inspectDocument } from "../../workflow/index.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { FILE, MODE, readDocumentFile } from "./read-file.ts";

export const spec = {
  description:
    "Says all that stands against a document, each with its JSON pointer, line and column. What this build cannot run yet is a warning here, and refused when the document is started.",
  positionals: [FILE],
  flags: { mode: MODE },
  examples: [
    { command: "lightflow workflow check release.yaml", does: "exit code 2 when the document is not valid" },
    { command: "cat release.yaml | lightflow workflow check - --json", does: "the findings as JSON" },
  ],
  exits: { [EXIT.usage]: "the document is not valid" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { text, name } = await readDocumentFile(positionals.file, io);
  const mode = flags.mode;
  const inspected = inspectDocument(text, { name, mode });
  const lacking: Diagnostic[] =
    inspected.document === undefined
      ? []
      : refusals(inspected.document, mode).map((each) => ({
          ...each,
          severity: "warning",
        }));
  const diagnostics = [...inspected.diagnostics, ...lacking];
  const valid = inspected.document !== undefined;
  io.print({ valid, diagnostics }, (paint) =>
    [
      ...diagnostics.map((each) => {
        const label = each.severity === "error" ? paint.red("error") : paint.yellow("warning");
        return `${name}:${diagnosticText(each)} ${label}`;
      }),
      valid ? `${paint.green("✓")} ${name} is a valid document` : `${paint.red("✗")} ${name} is not valid`,
    ].join("\n"),
  );
  return valid ? EXIT.ok : EXIT.usage;
};
