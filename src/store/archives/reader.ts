import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Artifacts } from "../../artifacts/index.ts";
import { fail, toFailure } from "../../base/errors.ts";
import type { History } from "./archive.ts";

/** Histories kept after they were read: who looks at a run looks again. */
const KEPT = 8;

/** Reads archived histories, the last few from memory. @throws Failure `artifact_not_found` */
export function archiveReader(artifacts: Pick<Artifacts, "path">): (sha256: string) => History {
  const kept = new Map<string, History>();
  return (sha256) => {
    const known = kept.get(sha256);
    if (known !== undefined) return known;
    let history: History;
    try {
      history = JSON.parse(gunzipSync(readFileSync(artifacts.path(sha256))).toString()) as History;
    } catch (error) {
      throw fail(
        "artifact_not_found",
        `the history in ${sha256} cannot be read: ${toFailure(error).message}`,
        {
          hint: "restore the artifacts that belong to this store",
          cause: error,
        },
      );
    }
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value!);
    kept.set(sha256, history);
    return history;
  };
}
