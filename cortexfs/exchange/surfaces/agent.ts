import { fail } from "../../../src/base/errors.ts";
import { errno } from "../../fuse/errno.ts";
import { runLoop } from "../loop.ts";
import { Denied, type Plan, type Planner } from "../plan.ts";
import { listValues } from "../providers.ts";
import { bodyObject, bodyText } from "./body.ts";

/** `agent/<id>/inbox`: a task for an agent, `{"task"}`; its profile gives the instructions, the model and the tools. */
export const planAgent: Planner = (engine, request): Plan => {
  const id = request.surface.slice("agent/".length);
  if (!engine.settings.hasChild("agent", id)) throw errno("ENOENT");
  const body = bodyObject(bodyText(request.body));
  if (typeof body["task"] !== "string" || Object.keys(body).length !== 1) throw errno("EINVAL");
  const value = (path: string): string => engine.settings.get(`agent/${id}/${path}`)?.trim() ?? "";
  const model = value("profile/model/model") || undefined;
  const route = engine.route(request.uid, "openai.chat", model, request.fingerprint);
  if (route.reason !== "ready") throw new Denied(route.reason, route.provider);
  return {
    route: null,
    provider: engine.providers().get(route.provider),
    streams: false,
    run: async (context) => {
      const result = await runLoop(engine, context, {
        route,
        ...(value("profile/system_prompt") === "" ? {} : { system: value("profile/system_prompt") }),
        history: [],
        added: [{ role: "user", content: body["task"] as string }],
        tools: listValues(value("policy/allowed_tools")),
        stream: false,
        limits: { steps: 64, timeMs: 300_000 },
        onStep: () => {},
      });
      const answer = result.messages.at(-1)?.["content"];
      if (typeof answer !== "string") throw fail("command_failed", "the agent gave no answer");
      const { fingerprint } = context.row;
      return {
        ...result,
        body: `${JSON.stringify({ request_id: request.id, agent: id, status: "done", answer, fingerprint })}\n`,
      };
    },
  };
};
