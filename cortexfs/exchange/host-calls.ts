import type { Delta } from "../providers/conversation.ts";
import { failureFrom, type HostEvent, type HostMessage } from "./host.ts";
import { Refusal } from "./plan.ts";

/** What is asked of the host, without the key that pairs question and answer. */
export type Question = HostMessage extends infer M
  ? M extends { key: string }
    ? Omit<M, "key">
    : never
  : never;

interface Waiting {
  readonly resolve: (event: HostEvent) => void;
  readonly reject: (error: unknown) => void;
  readonly onDelta: (delta: Delta) => void;
}

/** Questions to the host that wait for their answers. */
export class HostCalls {
  readonly #send: (message: HostMessage) => void;
  readonly #waiting = new Map<string, Waiting>();
  #count = 0;

  constructor(send: (message: HostMessage) => void) {
    this.#send = send;
  }

  deliver(event: HostEvent): void {
    const waiting = this.#waiting.get(event.key);
    if (waiting === undefined) return;
    if (event.type === "delta") {
      waiting.onDelta(event.delta);
      return;
    }
    this.#waiting.delete(event.key);
    if (event.type === "failure") waiting.reject(new Refusal(failureFrom(event.failure), {}, event.attempts));
    else waiting.resolve(event);
  }

  ask(
    question: Question,
    signal: AbortSignal,
    onDelta: (delta: Delta) => void = () => {},
  ): Promise<HostEvent> {
    const key = `call-${++this.#count}`;
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject, onDelta });
      signal.addEventListener("abort", () => {
        if (this.#waiting.has(key)) this.#send({ type: "cancel", key });
      });
      this.#send({ ...question, key } as HostMessage);
    });
  }
}
