import { basename, isAbsolute } from "node:path";
import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { LIMITS } from "../../base/limits.ts";
import { unreadable } from "../../base/read-file.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Artifact } from "./known.ts";
import { uploadArtifact } from "./upload.ts";

export const putArtifact = defineOperation({
  name: "artifact.put",
  scope: "run",
  summary: "Store a file of this host by its digest; only for callers on this host",
  method: "POST",
  path: "/artifacts/from-file",
  input: closed({ path: Type.String({ minLength: 1, maxLength: 4096 }) }),
  output: Artifact,
  async run(context, input) {
    if (!context.trustsPaths) throw fail("forbidden", "only a caller on this host may name a file");
    if (!isAbsolute(input.path)) throw fail("invalid_request", "/path: must be an absolute path");
    const file = Bun.file(input.path);
    const stat = await file.stat().catch((error: unknown) => {
      throw unreadable(input.path, error);
    });
    if (!stat.isFile()) throw fail("io", `cannot read ${input.path}: it is not a file`);
    const about = {
      mediaType: file.type.split(";")[0] || "application/octet-stream",
      name: basename(input.path),
    };
    const { created: _, ...stored } = await uploadArtifact(context, file, about, LIMITS.artifactBytes);
    return stored;
  },
});
