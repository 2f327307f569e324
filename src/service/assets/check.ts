import { Type } from "@sinclair/typebox";
import { defineOperation } from "../operation.ts";
import { closed, Integer } from "../shapes.ts";
import { Diagnostic, ProjectRoot, projectOf } from "./shapes.ts";

export const checkAssets = defineOperation({
  name: "assets.check",
  scope: "read",
  summary: "Everything that is wrong with the files of the project, each with its place and what to do",
  method: "GET",
  path: "/assets/check",
  input: closed({ project_root: ProjectRoot }),
  output: closed({ files: Integer, diagnostics: Type.Array(Diagnostic) }),
  async run(context, input) {
    const root = projectOf(context, input.project_root);
    const { checkProject } = await import("../../assets/index.ts");
    return checkProject(root);
  },
});
