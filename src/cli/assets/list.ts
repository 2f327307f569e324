import { join } from "node:path";
import { listAssets } from "../../assets/listing.ts";
import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import type { CommandSpec } from "../spec.ts";
import { tableText } from "../table-text.ts";

type Plural = "workflows" | "nodes" | "compositions" | "models";
const KINDS = { workflows: "workflow", nodes: "node", compositions: "composition", models: "model" } as const;

/** `assets workflows|nodes|compositions|models`: one command each, all alike. */
export function assetsCommand(plural: Plural) {
  const spec = {
    description:
      "Found by reading the files; no asset is ever run for it. A file that cannot be read is named on stderr and hides no other.",
    examples: [
      { command: `lightflow assets ${plural} --root ~/project`, does: `the ${plural} of a project` },
    ],
  } as const satisfies CommandSpec;

  const run = async (_args: unknown, io: Io): Promise<number> => {
    const directory = join(io.paths.cache, "assets");
    const { assets, diagnostics } = await listAssets(
      io.root(),
      directory,
      [KINDS[plural]],
      () => import("../../assets/entry.ts"),
    );
    io.print({ assets, diagnostics }, (paint) =>
      tableText([
        ["id", "title", "stability", "file"].map((head) => paint.dim(head)),
        ...assets.map((asset) => [
          asset.meta.id,
          asset.meta.title,
          asset.meta.stability,
          asset.builtin ? paint.dim("built in") : asset.source_path,
        ]),
      ]),
    );
    for (const problem of diagnostics) {
      io.stderr.line(
        `${problem.path}:${problem.line}:${problem.column}: ${problem.message}; ${problem.hint}`,
      );
    }
    return EXIT.ok;
  };
  return { spec, run };
}
