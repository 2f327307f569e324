import { fail } from "../../base/errors.ts";
import type { WorkspacePolicy } from "../../policy/index.ts";
import { loadAssets } from "../assets/load.ts";

/**
 * The project's own layers of policy, by file. One that cannot be read stops the start: without it the run would be
 * allowed more than the project says.
 * @throws Failure `asset_invalid`
 */
export async function workspacePolicies(root: string): Promise<WorkspacePolicy[]> {
  const { readPolicyFiles } = await loadAssets();
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

/** What was read in this turn of the event loop. */
let turn: Map<string, Promise<WorkspacePolicy[]>> | null = null;

/**
 * {@link workspacePolicies} for a server: all requests of one turn of the event loop share one look at the files. They had
 * arrived before it, so each sees what had been written when it was sent.
 */
export function workspacePoliciesOfTurn(root: string): Promise<WorkspacePolicy[]> {
  if (turn === null) {
    turn = new Map();
    setImmediate(() => {
      turn = null;
    });
  }
  let reading = turn.get(root);
  if (reading === undefined) {
    reading = workspacePolicies(root);
    turn.set(root, reading);
  }
  return reading;
}
