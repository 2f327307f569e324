import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { fail } from "../../base/errors.ts";
import { makePrivateDirectory, syncDirectory, writeFileDurable } from "../../base/files.ts";
import { randomToken } from "../../base/ids.ts";
import { runTool } from "./copy.ts";
import { removeTree } from "./trees.ts";

/** What stands beside the frozen files, for people and for `lightflow runner frozen`. */
export const FrozenTask = Type.Object(
  {
    leaseId: Type.String({ pattern: "^[0-9a-f-]{36}$" }),
    tenantId: Type.String(),
    wfInstanceId: Type.String(),
    taskId: Type.String(),
    status: Type.String(),
    frozenAt: Type.String(),
    frozenUntil: Type.String(),
  },
  { additionalProperties: false },
);
export type FrozenTask = Static<typeof FrozenTask>;

/** What is kept of a task: each name within its frozen directory, and where it comes from. */
export type FrozenParts = Readonly<Partial<Record<"work" | "output" | "logs", string>>>;

const NOTE = "frozen.json";
const frozenDirectory = (dataDirectory: string): string => join(dataDirectory, "frozen");

/**
 * Move what a task left to where nothing writes it any more. Each part is moved once: after a crash the rest follows.
 * Links, devices and pipes among the files stay what they are, below a directory that only the runner's user may enter.
 */
export async function freeze(dataDirectory: string, task: FrozenTask, parts: FrozenParts): Promise<void> {
  const base = frozenDirectory(dataDirectory);
  makePrivateDirectory(base);
  const place = join(base, task.leaseId);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  writeFileDurable(join(place, NOTE), JSON.stringify(task));
  for (const [name, source] of Object.entries(parts)) {
    const target = join(place, name);
    if (existsSync(target) || !lstatSync(source, { throwIfNoEntry: false })?.isDirectory()) continue;
    // Moving a directory writes its "..", which a task may have forbidden.
    chmodSync(source, 0o700);
    renameSync(source, target);
    await runTool(["chmod", "-R", "a-w", target]);
  }
  syncDirectory(place);
  syncDirectory(base);
}

/** What stands there, soonest to go first. What is not readable has no note of its own, and is left out. */
export function listFrozen(dataDirectory: string): FrozenTask[] {
  return frozenIds(dataDirectory)
    .flatMap((id) => {
      try {
        const note: unknown = JSON.parse(
          readFileSync(join(frozenDirectory(dataDirectory), id, NOTE), "utf8"),
        );
        return Value.Check(FrozenTask, note) && note.leaseId === id ? [note] : [];
      } catch {
        return [];
      }
    })
    .sort((a, b) => a.frozenUntil.localeCompare(b.frozenUntil) || a.leaseId.localeCompare(b.leaseId));
}

/** Names of the directories of frozen tasks, whole or not. */
export function frozenIds(dataDirectory: string): string[] {
  const base = frozenDirectory(dataDirectory);
  return existsSync(base) ? readdirSync(base) : [];
}

export const frozenPlace = (dataDirectory: string, leaseId: string): string =>
  join(frozenDirectory(dataDirectory), leaseId);

/** It has no name among the frozen any more when its bytes begin to go. @throws Failure `not_found` */
export async function removeFrozen(dataDirectory: string, leaseId: string): Promise<void> {
  if (!frozenIds(dataDirectory).includes(leaseId))
    throw fail("not_found", `no task ${leaseId} is frozen here`);
  const waste = join(dataDirectory, "removed");
  makePrivateDirectory(waste);
  const aside = join(waste, `${leaseId}-${randomToken(6)}`);
  renameSync(frozenPlace(dataDirectory, leaseId), aside);
  await removeTree(aside);
}
