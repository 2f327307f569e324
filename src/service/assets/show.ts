import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";
import { Card, KINDS, Kind, ProjectRoot, projectOf } from "./shapes.ts";

export const showAsset = defineOperation({
  name: "assets.show",
  scope: "read",
  summary: "One asset as a card: its ports, what it does, which models it needs, what is wrong with its file",
  method: "GET",
  path: "/assets/:kind/:id",
  input: closed({
    kind: Kind,
    id: Type.String({ minLength: 1, maxLength: 256 }),
    project_root: ProjectRoot,
  }),
  output: Card,
  async run(context, input) {
    const root = projectOf(context, input.project_root);
    const { readAssets } = await import("../../assets/discover.ts");
    const { assets, diagnostics } = readAssets(root, [KINDS[input.kind]]);
    const found = assets.find(({ record }) => record.meta.id === input.id);
    if (found === undefined) {
      const ids = assets.map(({ record }) => record.meta.id);
      throw fail("asset_not_found", `no ${KINDS[input.kind]} ${input.id}`, {
        details: { known: ids.slice(0, 20) },
      });
    }
    return {
      record: found.record,
      version: found.version ?? null,
      definition: (found.workflow ?? found.component ?? null) as unknown as JsonObject | null,
      diagnostics: diagnostics.filter(({ path }) => path === found.record.source_path),
    };
  },
});
