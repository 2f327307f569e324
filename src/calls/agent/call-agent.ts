import { ModelFailure, type NativeCall, runNative } from "../../agents/native.ts";
import type { Json } from "../../base/json.ts";
import type { CallRequest, CallScope } from "../call.ts";
import { callCortex } from "../cortex/call-cortex.ts";
import { CallError } from "../error.ts";

/**
 * `call: agent` in the workflow process: exchanges through the `/ctx` of this host, each with an id made of the call's and
 * its number, so that those that outlived a crash are taken up again. The answer is an `AgentOutcome`.
 */
export async function callAgent(request: CallRequest, scope: CallScope): Promise<Json> {
  const call = request.with as unknown as NativeCall;
  const outcome = await runNative(call, async (turn, body) => {
    const requestId = `${request.idempotencyKey.replaceAll("/", ".")}.turn-${turn}`;
    const target = { kind: "api", format: "openai.chat" };
    try {
      return await callCortex({ ...request, with: { target, body, requestId } }, scope);
    } catch (error) {
      // What the provider did is the agent's outcome; that there is no /ctx, or no right to it, is the call's.
      if (error instanceof CallError && error.type === "communication" && error.status === 502)
        throw new ModelFailure(error.detail);
      if (error instanceof CallError && error.type === "authorization" && typeof body["model"] === "string") {
        const { type, status, sent, code } = error;
        throw new CallError(
          type,
          `${error.detail}; the agent asks for the model ${body["model"]}`,
          status,
          sent,
          code,
        );
      }
      throw error;
    }
  });
  return outcome as unknown as Json;
}
