import { parseStrictJson } from "../../base/strict-json.ts";
import { type AssetDiagnostic, located } from "../diagnostics.ts";
import { filesOf } from "./constant.ts";

/** `lightflow/runs/` holds schemas and examples that are committed; what a run leaves belongs into the state directory. */
export function checkCommittedRuns(root: string): AssetDiagnostic[] {
  return filesOf(root, "runs").flatMap(({ name, result }) => {
    if (name.endsWith(".md") || name === "examples") return [];
    if ("diagnostic" in result) return [result.diagnostic];
    const { path, text } = result.source;
    const lines = name.endsWith(".jsonl") ? text.split("\n").filter((line) => line !== "") : [text];
    if (!/\.jsonl?$/.test(name)) {
      return [
        located(
          "data_invalid",
          path,
          "only schemas and examples stand here: .json, .jsonl and .md",
          "what runs leave belongs into the state directory, outside the project",
        ),
      ];
    }
    for (const [index, line] of lines.entries()) {
      try {
        parseStrictJson(line);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return [{ ...located("data_invalid", path, message, "correct the JSON"), line: index + 1 }];
      }
    }
    return [];
  });
}
