import { type EngineInput, taskError } from "../engine/index.ts";
import type { CallResolution, ResolveCall, StoredInput } from "../store/index.ts";

/** The same as the store takes it: what the waiting task hears. */
export function resolvedAs(resolution: CallResolution): ResolveCall["as"] {
  if (resolution.as === "retry") return { kind: "retry" };
  const input = (effect: string): EngineInput =>
    resolution.as === "succeeded"
      ? { kind: "effect_succeeded", effect, output: resolution.output }
      : {
          kind: "effect_failed",
          effect,
          error: taskError(
            "communication",
            resolution.reason,
            { sent: "unknown" },
            "Failed, says an operator",
          ),
        };
  return { kind: resolution.as, input: (effect) => input(effect) as unknown as StoredInput };
}
