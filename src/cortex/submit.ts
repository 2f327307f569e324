import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail } from "../base/errors.ts";
import type { RequestTarget } from "./paths.ts";

/**
 * Commit a request: stage, write, fsync, rename. When it returns the request is durable and runs by itself. The body
 * goes byte for byte. Asynchronous calls only, so that a process never waits in a system call for a mount.
 */
export async function submit(target: RequestTarget, body: string | Uint8Array): Promise<void> {
  try {
    await mkdir(target.inbox_dir, { recursive: true });
    const file = await open(target.staged_request, "w");
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(target.staged_request, target.commit_request);
  } catch (error) {
    // A request that was not committed leaves nothing behind, on a full disk too.
    await rm(target.staged_request, { force: true }).catch(() => {});
    throw await refusal(target, error as NodeJS.ErrnoException);
  }
}

/** What the filesystem's errno means for a request. */
async function refusal(target: RequestTarget, error: NodeJS.ErrnoException) {
  const request = target.request_id;
  const extra = { details: { errno: error.code ?? "", path: target.commit_request }, cause: error };
  switch (error.code) {
    case "EAGAIN":
      return fail("conflict", `request ${request} is already in flight`, extra);
    case "EACCES":
      return fail(
        "forbidden",
        `policy or configuration refuses request ${request}${await routeReason(target)}`,
        extra,
      );
    case "EINVAL":
      return fail("invalid_request", `the body of request ${request} is not valid for its target`, extra);
    case "EFBIG":
      return fail("payload_too_large", `the body of request ${request} is too large`, extra);
    case "ENOENT":
    case "ENOTDIR":
    case "EROFS":
    case "ENOTCONN":
    case "ECONNABORTED":
      return fail("unavailable", `no CortexFS serves ${target.inbox_dir}`, {
        ...extra,
        hint: "start it with `lightflow ctx mount`, or set LIGHTFLOW_CTX_MOUNT",
      });
    default:
      return fail("io", `request ${request} could not be committed: ${error.message}`, extra);
  }
}

/** The tree says in `home/<uid>/route/<format>/reason`, or else in the audit of its user, why it refuses. */
async function routeReason({ target, inbox_dir, request_id }: RequestTarget): Promise<string> {
  if (target.kind !== "api") return "";
  const home = dirname(dirname(dirname(inbox_dir)));
  const told = await readFile(join(home, "route", target.format, "reason"), "utf8").catch(() => "");
  const reason = ["", "ready"].includes(told.trim()) ? await decisionOn(home, request_id) : told.trim();
  if (reason === "") return "";
  const meaning = MEANINGS[/^[a-z_]+/.exec(reason)?.[0] ?? ""];
  return ` (${reason}${meaning === undefined ? "" : `: ${meaning}`})`;
}

/** The tree's words, for people. */
const MEANINGS: Readonly<Record<string, string>> = {
  policy_denied: "this user may use no provider that could take it",
  provider_disabled: "the provider is switched off",
  missing_secret: "the provider has no key",
  missing_configuration: "the provider is not configured",
  unsupported_model: "no provider offers the model that the request names",
  unsupported_format: "no provider takes this format",
};

/** How far back in the audit the line of a refusal of just now is looked for. */
const AUDIT_BYTES = 64 * 1024;

async function decisionOn(home: string, request: string): Promise<string> {
  try {
    const file = await open(join(home, "audit", "events.jsonl"));
    try {
      const { size } = await file.stat();
      const { bytesRead, buffer } = await file.read({
        buffer: Buffer.alloc(AUDIT_BYTES),
        position: Math.max(0, size - AUDIT_BYTES),
      });
      const lines = buffer.toString("utf8", 0, bytesRead).split("\n");
      const line = lines.findLast((text) => text.includes('"denied"') && text.includes(`"${request}"`));
      const { decision, provider } = JSON.parse(line ?? "{}") as Record<string, unknown>;
      const where = typeof provider === "string" ? ` at provider ${provider}` : "";
      return typeof decision === "string" ? `${decision}${where}` : "";
    } finally {
      await file.close();
    }
  } catch {
    // The reason is a help for whoever reads the refusal, not a part of it.
    return "";
  }
}
