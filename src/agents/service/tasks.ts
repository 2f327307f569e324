import { canonicalJson } from "../../base/canonical.ts";
import { isoTime } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { AgentOutcome } from "../outcome.ts";

const KEPT = 1000;

export type TaskState = "working" | "completed" | "failed" | "canceled";

/** One task of A2A, and whoever watches it. */
export class AgentTask {
  readonly id = newId();
  readonly contextId: string;
  readonly cancelling = new AbortController();
  state: TaskState = "working";
  #said = "";
  #since = Date.now();
  #outcome: AgentOutcome | null = null;
  readonly #watchers = new Set<(event: JsonObject) => void>();

  constructor(contextId: string) {
    this.contextId = contextId;
  }

  get ended(): boolean {
    return this.state !== "working";
  }

  view(): JsonObject {
    return {
      kind: "task",
      id: this.id,
      contextId: this.contextId,
      status: this.#status(),
      ...(this.#outcome === null || "failed" in this.#outcome ? {} : { artifacts: [this.#artifact()] }),
      metadata: this.#metadata(),
    };
  }

  say(text: string): void {
    if (this.ended) return;
    this.#said = text;
    this.#tell(this.#update(false));
  }

  end(state: Exclude<TaskState, "working">, said: string, outcome: AgentOutcome | null = null): void {
    if (this.ended) return;
    this.state = state;
    this.#said = said;
    this.#since = Date.now();
    this.#outcome = outcome;
    if (outcome !== null && !("failed" in outcome))
      this.#tell({
        kind: "artifact-update",
        taskId: this.id,
        contextId: this.contextId,
        artifact: this.#artifact(),
        lastChunk: true,
      });
    this.#tell(this.#update(true));
    this.#watchers.clear();
  }

  /** @returns what stops watching */
  watch(watcher: (event: JsonObject) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #tell(event: JsonObject): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  #status(): JsonObject {
    const message = {
      kind: "message",
      role: "agent",
      messageId: `${this.id}.status`,
      parts: [{ kind: "text", text: this.#said }],
    };
    return { state: this.state, timestamp: isoTime(this.#since), ...(this.#said === "" ? {} : { message }) };
  }

  #update(final: boolean): JsonObject {
    const about = { kind: "status-update", taskId: this.id, contextId: this.contextId };
    return { ...about, status: this.#status(), final, metadata: this.#metadata() };
  }

  #metadata(): JsonObject {
    if (this.#outcome === null) return {};
    return { lightflow: { usage: { ...this.#outcome.usage } } };
  }

  #artifact(): JsonObject {
    const { output } = this.#outcome as { output: Json };
    const part: JsonObject = isObject(output)
      ? { kind: "data", data: output as JsonObject }
      : { kind: "text", text: typeof output === "string" ? output : canonicalJson(output) };
    return { artifactId: `${this.id}.answer`, parts: [part] };
  }
}

/** Tasks by their id and by the message that began them: the same message is the same task. In memory. */
export class Tasks {
  readonly #byId = new Map<string, AgentTask>();
  readonly #byMessage = new Map<string, AgentTask>();

  get(id: string): AgentTask | undefined {
    return this.#byId.get(id);
  }

  begun(messageId: string): AgentTask | undefined {
    return this.#byMessage.get(messageId);
  }

  add(messageId: string, task: AgentTask): void {
    if (this.#byId.size >= KEPT) {
      const [oldest] = [...this.#byId.values()].filter(({ ended }) => ended);
      if (oldest !== undefined) {
        this.#byId.delete(oldest.id);
        for (const [message, kept] of this.#byMessage) if (kept === oldest) this.#byMessage.delete(message);
      }
    }
    this.#byId.set(task.id, task);
    this.#byMessage.set(messageId, task);
  }
}
