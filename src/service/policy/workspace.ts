import { fail } from "../../base/errors.ts";
import type { WorkspacePolicy } from "../../policy/index.ts";

/**
 * The project's own layers of policy, by file. One that cannot be read stops the start: without it the run would be
 * allowed more than the project says.
 * @throws Failure `asset_invalid`
 */
export async function workspacePolicies(root: string): Promise<WorkspacePolicy[]> {
  const { readPolicyFiles } = await import("../../assets/index.ts");
  return readPolicyFiles(root).map(({ name, value, diagnostics }) => {
    const [problem] = diagnostics.filter(({ severity }) => severity === "error");
    if (problem !== undefined || value === undefined) {
      throw fail(
        "asset_invalid",
        `the policy ${name} of the project is not valid: ${problem?.message ?? "no value"}`,
        {
          hint: problem?.hint ?? "see lightflow check",
          details: { policy: name, diagnostics },
        },
      );
    }
    return { name, policy: value };
  });
}
