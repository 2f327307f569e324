import { errno } from "../../fuse/errno.ts";
import { DIALECTS, isFormat } from "../../providers/dialects.ts";
import { Denied, type Plan, type Planner } from "../plan.ts";
import { bodyObject, bodyText } from "./body.ts";

/** `home/<uid>/api/<format>`: one request in a provider's native format. */
export const planApi: Planner = (engine, request): Plan => {
  const format = request.surface.slice("api/".length);
  if (!isFormat(format)) throw errno("EINVAL");
  const body = bodyObject(bodyText(request.body));
  const { model, stream } = DIALECTS[format].readRequest(body);
  const route = engine.route(request.uid, format, model, request.fingerprint);
  if (route.reason !== "ready") throw new Denied(route.reason, route.provider);
  const provider = engine.providers().get(route.provider)!;
  return {
    route: {
      request_id: request.id,
      format,
      provider: route.provider,
      model: route.model,
      reason: route.reason,
      fingerprint: request.fingerprint,
      provider_format: route.candidates[0]!.format,
    },
    provider,
    streams: stream,
    run: async (context) => {
      const result = await engine.chat({ format, body, route, timeoutMs: provider.timeoutMs }, context);
      const last = result.attempts.at(-1);
      return {
        body: result.body.endsWith("\n") ? result.body : `${result.body}\n`,
        attempts: result.attempts,
        inputTokens: result.answer.usage.input,
        outputTokens: result.answer.usage.output,
        ...(last === undefined ? {} : { provider: last.provider, model: last.model }),
      };
    },
  };
};
