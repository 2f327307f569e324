import { fail, toFailure } from "../../../src/base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../../src/base/json.ts";
import { errno } from "../../fuse/errno.ts";
import type { FormatName } from "../../providers/conversation.ts";
import { DIALECTS, isFormat } from "../../providers/dialects.ts";
import type { Engine } from "../engine.ts";
import { type Plan, type Planner, Refusal, type RunContext } from "../plan.ts";
import { bodyObject, bodyText } from "./body.ts";

const MAX_LINES = 10_000;

interface Line {
  readonly id: string;
  readonly format: FormatName;
  readonly body: JsonObject;
}

/**
 * `home/<uid>/batch`: JSONL, one `{"custom_id","format"?,"body"}` a line. Lines run at once up to their provider's
 * limit; one that fails is an error in its own row and does not sink the others.
 */
export const planBatch: Planner = (engine, request): Plan => {
  const seen = new Set<string>();
  const lines = bodyText(request.body)
    .split("\n")
    .filter((text) => text.trim() !== "")
    .map((text): Line => {
      const line = bodyObject(text);
      const { custom_id: id, body, format = "openai.chat" } = line;
      if (
        typeof id !== "string" ||
        seen.has(id) ||
        !isObject(body) ||
        typeof format !== "string" ||
        !isFormat(format)
      ) {
        throw errno("EINVAL");
      }
      seen.add(id);
      return { id, format, body: body as JsonObject };
    });
  if (lines.length === 0 || lines.length > MAX_LINES) throw errno("EINVAL");
  return {
    route: null,
    provider: undefined,
    streams: false,
    run: async (context) => {
      let input = 0;
      let output = 0;
      const rows = await Promise.all(
        lines.map(async (line): Promise<Json> => {
          try {
            const { result, tokens } = await runLine(engine, request.uid, line, context);
            input += tokens.input;
            output += tokens.output;
            return { custom_id: line.id, response: JSON.parse(result) as Json };
          } catch (error) {
            context.signal.throwIfAborted();
            const failure = error instanceof Refusal ? error.failure : toFailure(error);
            return { custom_id: line.id, error: failure.message, code: failure.code };
          }
        }),
      );
      return { body: `${JSON.stringify({ results: rows })}\n`, inputTokens: input, outputTokens: output };
    },
  };
};

async function runLine(engine: Engine, uid: number, line: Line, context: RunContext) {
  const { model } = DIALECTS[line.format].readRequest(line.body);
  const route = engine.route(uid, line.format, model, `${context.row.fingerprint}/${line.id}`);
  if (route.reason !== "ready") throw fail("forbidden", `no route: ${route.reason}`);
  const provider = engine.providers().get(route.provider)!;
  const release = await engine.slots.take(provider.id, provider.limit);
  try {
    context.signal.throwIfAborted();
    const result = await engine.chat(
      { format: line.format, body: line.body, route, timeoutMs: provider.timeoutMs },
      { signal: context.signal, onDelta: () => {} },
    );
    engine.learn(result.attempts);
    return { result: result.body, tokens: result.answer.usage };
  } finally {
    release();
  }
}
