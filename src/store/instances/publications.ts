import { fail } from "../../base/errors.ts";
import type { Operation, Query, Transaction } from "../operation.ts";
import { type Arming, replaceSchedule } from "../schedules/schedules.ts";
import type { EnginePort } from "./engine-port.ts";
import { keepDefinition, type StartInput } from "./start.ts";

export interface Publication {
  namespace: string;
  name: string;
  version: string;
  digest: string;
  created_at: number;
}

/**
 * Publish a definition under its name. The same content again changes nothing. @returns whether it is new
 * @throws Failure `conflict` when other content has the name and version
 */
export const publishDefinition: Operation<
  {
    engine: EnginePort;
    tenantId: string;
    definition: StartInput["definition"];
    schedule: Arming | null;
    now: number;
  },
  boolean
> = (tx, { engine, tenantId, definition, schedule, now }) => {
  const { namespace, name, version, digest } = definition;
  const known = tx.get<{ digest: string }>(
    "SELECT digest FROM publication WHERE tenant_id = ? AND namespace = ? AND name = ? AND version = ?",
    tenantId,
    namespace,
    name,
    version,
  );
  if (known !== undefined) {
    if (known.digest === digest) return false;
    throw fail("conflict", `${namespace}/${name} ${version} is published with other content`, {
      hint: "a published version never changes: raise document.version",
    });
  }
  keepDefinition(tx, definition, now);
  tx.run(
    "INSERT INTO publication (tenant_id, namespace, name, version, digest, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    tenantId,
    namespace,
    name,
    version,
    digest,
    now,
  );
  // The highest version is the one that starts by itself.
  if (findPublication(tx, tenantId, { namespace, name, version: "latest" })?.version === version)
    replaceSchedule(tx, engine, { tenantId, namespace, name }, { version, digest }, schedule, now);
  return true;
};

export const listPublications: Query<string, Publication[]> = (tx, tenantId) =>
  tx.all(
    "SELECT namespace, name, version, digest, created_at FROM publication WHERE tenant_id = ? ORDER BY namespace, name, created_at",
    tenantId,
  );

export const findPublished: Query<
  { tenantId: string; namespace: string; name: string; version: string },
  Publication | undefined
> = (tx, { tenantId, ...wanted }) => findPublication(tx, tenantId, wanted);

/** The digest behind a name; `latest` is the highest version. Undefined where nothing is published. */
export function findPublication(
  tx: Pick<Transaction, "all">,
  tenantId: string,
  wanted: { namespace: string; name: string; version: string },
): Publication | undefined {
  const all = tx.all<Publication>(
    "SELECT namespace, name, version, digest, created_at FROM publication WHERE tenant_id = ? AND namespace = ? AND name = ?",
    tenantId,
    wanted.namespace,
    wanted.name,
  );
  if (wanted.version !== "latest") return all.find(({ version }) => version === wanted.version);
  return all.sort((one, other) => compareVersions(other.version, one.version))[0];
}

/** Semantic Versioning 2.0.0, chapter 11. */
export function compareVersions(one: string, other: string): number {
  const parse = (text: string) => {
    const [core = "", ...rest] = text.split("+")[0]!.split("-");
    return { core: core.split(".").map(Number), pre: rest.length === 0 ? null : rest.join("-").split(".") };
  };
  const [a, b] = [parse(one), parse(other)];
  for (let at = 0; at < 3; at++) if (a.core[at] !== b.core[at]) return a.core[at]! - b.core[at]!;
  if (a.pre === null || b.pre === null) return Number(a.pre === null) - Number(b.pre === null);
  for (let at = 0; at < Math.max(a.pre.length, b.pre.length); at++) {
    const [left, right] = [a.pre[at], b.pre[at]];
    if (left === right) continue;
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const numbers = [left, right].map((part) => (/^\d+$/.test(part) ? Number(part) : null));
    if (numbers[0] !== null && numbers[1] !== null) return numbers[0]! - numbers[1]!;
    if (numbers[0] !== numbers[1] && (numbers[0] === null || numbers[1] === null))
      return numbers[0] === null ? 1 : -1;
    return left < right ? -1 : 1;
  }
  return 0;
}
