import { lstatSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { fail } from "../../base/errors.ts";
import type { Lease } from "../../protocol/index.ts";
import { taskEnvironment } from "../environment.ts";
import { viewOf, type Workspace } from "../files/workspaces.ts";
import type { ImageStore } from "../images/store.ts";
import type { SandboxRequest } from "../sandboxes/index.ts";
import type { Staged } from "./files.ts";
import { outputFile } from "./places.ts";

/** Where a container sees its workspace: an image knows nothing of the host's paths. */
const WORKSPACE = "/workspace";

export type Invocation = Pick<
  SandboxRequest,
  "command" | "arguments" | "environment" | "directory" | "writable" | "mounts" | "imageRoot" | "image"
>;

/** The program of a task, with the paths as it sees them. @throws Failure `execution_start_failed`, `feature_unsupported` */
export function invocationOf(
  lease: Pick<Lease, "leaseId" | "task">,
  workspace: Workspace,
  temporary: string,
  environment: Readonly<Record<string, string>>,
  staged: Staged,
  images: ImageStore,
  /** Where it runs elsewhere, this host's programs say nothing. */
  isRemote: boolean,
): Invocation {
  const { task, leaseId } = lease;
  const { inputs, mounts, own } = staged;
  if (task.type === "run.container" && !isRemote)
    return container(lease, task, workspace, environment, staged, images);
  if (own === null && task.command === undefined)
    throw fail("feature_unsupported", "another host's sandbox knows no program of the image", {
      hint: "name the container's command: it waits for its start, which an entry point would not",
    });
  const { directory, home, root } = workspace;
  const places = { directory, home, temporary, output: outputFile(root, leaseId), inputs };
  const request = {
    command: own?.command ?? task.command!,
    arguments: own?.arguments ?? task.arguments,
    environment: taskEnvironment(leaseId, places, environment),
    directory: workingDirectory(workspace, task.directory),
    writable: [root],
    mounts,
    // Its workspace is at its own path there, like that of any task.
    ...(task.type === "run.container" ? { image: task.image } : {}),
  };
  if (!isRemote) checkCommand(request);
  return request;
}

function container(
  { leaseId }: Pick<Lease, "leaseId">,
  task: Extract<Lease["task"], { type: "run.container" }>,
  workspace: Workspace,
  environment: Readonly<Record<string, string>>,
  staged: Staged,
  images: ImageStore,
): Invocation {
  const { root, config } = images.find(task.image);
  const inside = (path: string): string => join(WORKSPACE, path.slice(workspace.root.length));
  const given = Object.fromEntries(
    (config.Env ?? []).map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const places = {
    directory: workspace.directory,
    home: inside(workspace.home),
    temporary: "/tmp",
    output: inside(outputFile(workspace.root, leaseId)),
    inputs: staged.inputs,
  };
  const own =
    task.command === undefined
      ? [...(config.Entrypoint ?? []), ...(task.arguments.length > 0 ? task.arguments : (config.Cmd ?? []))]
      : [task.command, ...task.arguments];
  const [command, ...args] = own;
  if (command === undefined)
    throw fail("execution_start_failed", `the image ${task.image} has no program of its own; name one`);
  const directory =
    task.command === undefined && task.directory === undefined ? config.WorkingDir : undefined;
  return {
    command,
    arguments: args,
    environment: taskEnvironment(leaseId, places, { ...given, ...environment }),
    // An image that does not say where it works begins in the workspace, like any task.
    directory:
      directory !== undefined && isAbsolute(directory) && directory !== "/"
        ? directory
        : inside(workingDirectory(workspace, task.directory)),
    writable: [],
    mounts: [...staged.mounts, { source: workspace.root, target: WORKSPACE, readOnly: false }],
    imageRoot: root,
  };
}

/** A folder of the workspace, reached without a link. */
function workingDirectory(workspace: Workspace, directory: string | undefined): string {
  if (directory === undefined || directory === ".") return workspace.directory;
  let path = viewOf(workspace);
  for (const name of directory.split("/")) {
    path = join(path, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined)
      throw fail("execution_start_failed", `the workspace has no directory ${directory}`);
    if (stat.isSymbolicLink() || name === "..")
      throw fail(
        "execution_policy_denied",
        `the directory ${directory} leads out of the workspace by a link`,
      );
    if (!stat.isDirectory())
      throw fail("execution_start_failed", `${directory} is not a directory of the workspace`);
  }
  return join(workspace.directory, directory);
}

/** A program that is not there is a failed start, told before a sandbox turns it into an odd exit code. */
function checkCommand({ command, environment, directory }: Omit<Invocation, "imageRoot">): void {
  if (command.includes("/")) return;
  if (Bun.which(command, { PATH: environment["PATH"] ?? "", cwd: directory }) !== null) return;
  throw fail(
    "execution_start_failed",
    `the program ${JSON.stringify(command)} is not installed on this runner's host`,
    { hint: `PATH is ${environment["PATH"]}` },
  );
}
