import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BrowserStart } from "../../base/browser.ts";
import { fail } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import type { BrowserWork, Lease } from "../../protocol/index.ts";
import { identityOf } from "../binary-digest.ts";
import type { ProvenBrowser } from "../browser/prove.ts";
import type { ResolvedMount } from "../sandboxes/index.ts";
import type { LeasePlaces } from "./places.ts";
import type { Reporter } from "./reporter.ts";

/** How a task with files, or with code, differs from a plain command. */
export interface Staged {
  readonly mounts: readonly ResolvedMount[];
  /** Where the files are; null without any. */
  readonly inputs: string | null;
  /** This executable, where it runs the task's code or does its action; null for a task that names its program. */
  readonly own: { readonly command: string; readonly arguments: readonly string[] } | null;
}

/**
 * Fetch the artifacts that a task reads into the lease's own directory, which the task sees but cannot write. Code runs in
 * this very executable, inside the task's sandbox.
 * @throws Failure of the controller's code, `artifact_digest_mismatch`
 */
export async function stageFiles(
  lease: Lease,
  places: LeasePlaces,
  reporter: Reporter,
  browser: ProvenBrowser | null,
  signal: AbortSignal,
): Promise<Staged> {
  const mounts: ResolvedMount[] = [];
  let inputs: string | null = null;
  if (lease.files !== undefined && lease.files.length > 0) {
    inputs = join(places.root, "inputs");
    makePrivateDirectory(inputs);
    for (const sha256 of lease.files) {
      const path = join(inputs, sha256);
      if (!existsSync(path)) await reporter.file(sha256, path, signal);
    }
    mounts.push({ source: inputs, target: inputs, readOnly: true });
  }
  const child = ownChild(lease, inputs, browser);
  if (child === null) return { mounts, inputs, own: null };
  const own = ownExecutable();
  return {
    mounts: [...mounts, ...own.paths.map((path) => ({ source: path, target: path, readOnly: true }))],
    inputs,
    own: { command: own.command, arguments: [...own.arguments, ...child] },
  };
}

/** The arguments that make this executable the child of a task, or null. */
function ownChild(
  { code, action, agent, call, browser: work, task, leaseId }: Lease,
  inputs: string | null,
  browser: ProvenBrowser | null,
): string[] | null {
  if (agent !== undefined) return ["agent-child"];
  if (action !== undefined) return ["action-child", action.name];
  if (call?.program === true) return ["call-child", task.command ?? "", ...task.arguments];
  if (call !== undefined) return ["call-child"];
  if (code === undefined) return null;
  if (inputs === null)
    throw fail("schema_violation", `the file of the code of lease ${leaseId} is not among its files`);
  const child = ["code-child", join(inputs, code.source)];
  return work === undefined ? child : [...child, JSON.stringify(startOf(work, browser))];
}

/** The program that was tried, as it is still: what was exchanged since is nobody's approved browser. */
function startOf(work: BrowserWork, browser: ProvenBrowser | null): BrowserStart {
  if (browser === null) throw fail("feature_unsupported", "this runner has no browser");
  let now: string | null;
  try {
    now = identityOf(browser.executable);
  } catch {
    now = null;
  }
  if (now !== browser.identity) {
    throw fail("feature_unsupported", `the browser ${browser.executable} is not the one that was tried`, {
      hint: "restart the runner; its new digest has to be approved",
    });
  }
  return { ...work, executable: browser.executable };
}

/** This executable as a command; under `bun` it needs its script and the sources again. */
export function ownExecutable(): { command: string; arguments: string[]; paths: string[] } {
  const command = process.execPath;
  if (Bun.main.startsWith("/$bunfs/")) return { command, arguments: [], paths: [command] };
  const root = join(import.meta.dir, "../../..");
  return { command, arguments: [join(root, "src/main.ts")], paths: [command, root] };
}
