import { canonicalJson } from "../../base/canonical.ts";
import { isoTime } from "../../base/clock.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { AgentTaskState, StoredAgentTask } from "../../store/agent-service/task-book.ts";
import type { AgentOutcome } from "../outcome.ts";

type Start = Pick<StoredAgentTask, "id" | "contextId" | "changedAt"> & Partial<StoredAgentTask>;

/** One task of A2A as it is shown, and whoever watches it. What is kept of it stands in the book. */
export class AgentTask {
  readonly id: string;
  readonly contextId: string;
  readonly cancelling = new AbortController();
  state: AgentTaskState;
  #said: string;
  #since: number;
  #outcome: AgentOutcome | null;
  readonly #watchers = new Set<(event: JsonObject) => void>();

  constructor({ id, contextId, changedAt, state = "working", said = "", outcome = null }: Start) {
    this.id = id;
    this.contextId = contextId;
    this.state = state;
    this.#said = said;
    this.#since = changedAt;
    this.#outcome = outcome;
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

  end(
    state: Exclude<AgentTaskState, "working">,
    said: string,
    outcome: AgentOutcome | null,
    now: number,
  ): void {
    if (this.ended) return;
    this.state = state;
    this.#said = said;
    this.#since = now;
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
    const usage = { ...this.#outcome.usage };
    return {
      lightflow: "failed" in this.#outcome ? { failed: this.#outcome.failed, usage } : { usage },
    };
  }

  #artifact(): JsonObject {
    const { output } = this.#outcome as { output: Json };
    const part: JsonObject = isObject(output)
      ? { kind: "data", data: output as JsonObject }
      : { kind: "text", text: typeof output === "string" ? output : canonicalJson(output) };
    return { artifactId: `${this.id}.answer`, parts: [part] };
  }
}
