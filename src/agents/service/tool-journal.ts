import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import type { TaskBook } from "../../store/agent-service/task-book.ts";
import { type ToolBox, ToolFailure } from "../native.ts";

/** Calls of tools that are under way, so that a service can let them end before it does. */
export class CallsUnderWay {
  readonly #calls = new Set<Promise<unknown>>();

  add(call: Promise<unknown>): void {
    this.#calls.add(call);
    const over = () => void this.#calls.delete(call);
    call.then(over, over);
  }

  async ended(): Promise<void> {
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
  }
}

/**
 * The tools of one task, each call written down before it is made and with what came of it. A task that is taken up after
 * a restart hears again what it heard, and nothing is done twice: a call whose outcome nobody knows ends the task, unless
 * the tool says that a repeat does no harm.
 */
export function journalled(
  tools: ToolBox,
  book: TaskBook,
  taskId: string,
  signal: AbortSignal,
  underWay: CallsUnderWay,
  isClosing: () => boolean,
): ToolBox {
  let number = 0;
  return {
    definitions: tools.definitions,
    async call(name, input) {
      signal.throwIfAborted();
      if (isClosing()) throw fail("unavailable", "the service ends");
      const at = number++;
      const digest = digestOf({ name, input });
      const known = book.toolCall(taskId, at);
      const isSame = known?.digest === digest;
      if (isSame && known?.result != null) return known.result;
      if (known?.result === null && !(isSame && tools.isRepeatable?.(name) === true))
        throw new ToolFailure(
          "the service ended while a tool was called, and what came of that call is not known",
        );
      book.callsTool(taskId, at, digest);
      const call = tools.call(name, input).then((result) => {
        book.toolAnswered(taskId, at, result);
        return result;
      });
      underWay.add(call);
      return await call;
    },
  };
}
