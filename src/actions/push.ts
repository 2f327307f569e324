import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { type Git, type GitOptions, openGit } from "../base/git.ts";
import type { ActionContext } from "./child.ts";
import { forgeAddress } from "./forge.ts";
import { absolutePath, text } from "./given.ts";
import { commitPatch, type PatchCommit } from "./patch-commit.ts";

const TRIES = 3;

/**
 * Push a patch as a branch that is not there yet, from a repository of its own beside the one that has the base, which is
 * only read. A branch that is there already has to be this very commit.
 * @throws Failure `conflict`, `unavailable` where it does not stand, `execution_outcome_unknown` where nobody knows
 */
export async function pushPatch(
  context: ActionContext,
  remote: Remote,
  branch: string,
): Promise<PatchCommit> {
  const source = absolutePath(context.given, "repository");
  const scratch = mkdtempSync(join(tmpdir(), "push-"));
  const [reader, git] = [openGit(source), openGit(scratch)];
  try {
    const objects = await reader.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"]);
    const format = await reader.run(["rev-parse", "--show-object-format"]);
    await git.run(["init", "--quiet", "--bare", "--template=", `--object-format=${format}`]);
    writeFileSync(join(scratch, "objects/info/alternates"), `${objects}\n`);
    await git.run(["check-ref-format", `refs/heads/${branch}`]);
    const made = await commitPatch(context, git);
    await push(git, remote, `refs/heads/${branch}`, made.commit);
    return made;
  } finally {
    reader.close();
    git.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function push(git: Git, remote: Remote, reference: string, commit: string): Promise<void> {
  let why = "";
  let tried = false;
  /** Null where the remote does not say. */
  const found = async (): Promise<string | null> => {
    const listed = await git.attempt(["ls-remote", "--quiet", remote.address, reference], remote.options);
    if (listed.code === 0) return listed.out.split(/\s/)[0] ?? "";
    why = listed.errors;
    return null;
  };
  for (let attempt = 1; ; attempt++) {
    const standing = await found();
    if (standing === commit) return;
    if (standing !== null && standing !== "")
      throw fail("conflict", `the branch ${reference} is there and holds something else`);
    if (attempt > TRIES) {
      const unknown = tried && standing === null;
      throw fail(
        unknown ? "execution_outcome_unknown" : "unavailable",
        `the remote does not take the branch: ${why.slice(-1000)}`,
      );
    }
    if (standing === "") {
      tried = true;
      // Only where there is none: somebody else's branch of that name is never moved.
      const pushed = await git.attempt(
        ["push", "--quiet", `--force-with-lease=${reference}:`, remote.address, `${commit}:${reference}`],
        remote.options,
      );
      if (pushed.code === 0) return;
      why = pushed.errors;
    }
    await Bun.sleep(250 * 2 ** attempt);
  }
}

export interface Remote {
  readonly address: string;
  readonly options: GitOptions;
}

/** A directory of this host, or an address that is given the token, and no other. */
export function remoteOf({ given, env }: ActionContext, token: string): Remote {
  if (text(given, "remote").startsWith("/"))
    return { address: absolutePath(given, "remote"), options: { env: { GIT_ALLOW_PROTOCOL: "file" } } };
  const url = forgeAddress(given, "remote");
  const basic = Buffer.from(`x-access-token:${token}`).toString("base64");
  const config: [string, string][] = [
    [`http.${url.origin}/.extraHeader`, `Authorization: Basic ${basic}`],
    ["http.followRedirects", "false"],
  ];
  const settings = config.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  // The way out of the sandbox, where there is one.
  const proxies = ["http_proxy", "https_proxy", "no_proxy"].flatMap((name) =>
    env[name] === undefined ? [] : [[name, env[name]]],
  );
  return {
    address: url.href,
    options: {
      env: Object.fromEntries([
        ...settings,
        ...proxies,
        ["GIT_CONFIG_COUNT", String(config.length)],
        ["GIT_ALLOW_PROTOCOL", url.protocol.slice(0, -1)],
      ]),
    },
  };
}
