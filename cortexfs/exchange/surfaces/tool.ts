import { fail } from "../../../src/base/errors.ts";
import { errno } from "../../fuse/errno.ts";
import { actorFacts, type Plan, type Planner, Refusal } from "../plan.ts";
import { schemaProblem } from "../schema-check.ts";
import { bodyObject, bodyText } from "./body.ts";

/** `tool/<id>/invoke` and `mcp/tool/<id>/invoke`: the body is the tool's input. A denial is an answer of its own. */
export const planTool: Planner = (engine, request): Plan => {
  const tool = engine.tools.get(request.surface.slice(request.surface.indexOf("/") + 1));
  if (tool === undefined) throw errno("ENOENT");
  const input = bodyObject(bodyText(request.body));
  if (schemaProblem(tool.inputSchema, input) !== undefined) throw errno("EINVAL");
  return {
    route: null,
    provider: undefined,
    streams: false,
    run: async ({ row, signal }) => {
      if (!engine.tools.isAllowed(tool, row.uid)) {
        engine.audit.add({
          event: "denied",
          ...actorFacts(row),
          name: row.id,
          tool: tool.id,
          decision: "deny",
        });
        throw new Refusal(fail("forbidden", `policy does not allow ${tool.id}`), {
          tool: tool.id,
          status: "denied",
          permission: "execute",
          policy: engine.tools.permissions(tool),
        });
      }
      const output = await engine.runTool(tool, input, { ...actorFacts(row), name: row.id }, signal);
      return { body: `${JSON.stringify(output)}\n`, tool: tool.id };
    },
  };
};
