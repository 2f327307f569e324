import type { Clock } from "../../src/base/clock.ts";
import { fail, toFailure } from "../../src/base/errors.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import type { Log } from "../../src/base/log.ts";
import type { Environment } from "../../src/base/xdg.ts";
import { errno } from "../fuse/errno.ts";
import type { Attempt, ChatResult } from "../providers/call.ts";
import type { Delta, FormatName } from "../providers/conversation.ts";
import { Audit } from "./audit.ts";
import { fingerprint } from "./fingerprint.ts";
import type { HostEvent, HostMessage } from "./host.ts";
import { HostCalls, type Question } from "./host-calls.ts";
import { type Actor, actorFacts, Denied, type Plan, type Planner, Refusal, type RunContext } from "./plan.ts";
import { allProviders, listValues, type Provider } from "./providers.ts";
import { ALL_HIDDEN, FilePart, type FilePartName, isPending, Requests } from "./requests.ts";
import { type Health, type Route, route } from "./routing.ts";
import { RunningRequests } from "./running.ts";
import { Settings } from "./settings.ts";
import { Slots } from "./slots.ts";
import type { ExchangeStore, RequestRow } from "./store/store.ts";
import { Threads } from "./threads.ts";
import { type Tool, ToolRegistry } from "./tools/registry.ts";

export interface EngineOptions {
  readonly store: ExchangeStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Environment;
  /** Ask the host; it answers through {@link Engine.deliver}. */
  readonly send: (message: HostMessage) => void;
  /** A path below the root has changed. */
  readonly changed: (path: string) => void;
  readonly planner: Planner;
}

/** What these say is about the request, nothing about the provider. */
const HEALTHY_CODES = new Set(["invalid_request", "execution_cancelled"]);

/**
 * The exchange: takes commits, runs them through the host, and keeps every outcome. It never waits for a provider: a
 * commit ends with the disk, and all that takes longer continues from events.
 */
export class Engine {
  readonly store: ExchangeStore;
  readonly clock: Clock;
  readonly env: Environment;
  readonly log: Log;
  readonly settings: Settings;
  readonly audit: Audit;
  readonly requests: Requests;
  readonly threads: Threads;
  readonly tools: ToolRegistry;
  readonly health = new Map<string, Health>();
  readonly slots = new Slots();
  readonly #options: EngineOptions;
  readonly #homes = new Map<number, { gid: number; created: number }>();
  readonly #host: HostCalls;
  readonly #running: RunningRequests;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#host = new HostCalls(options.send);
    this.store = options.store;
    this.clock = options.clock;
    this.env = options.env;
    this.log = options.log;
    this.settings = new Settings(options.store, options.clock, options.changed);
    this.audit = new Audit(options.store, options.clock, options.changed);
    this.requests = new Requests(options.store, () => options.clock.wall());
    this.threads = new Threads(options.store, options.clock);
    this.tools = new ToolRegistry(this.settings);
    const { requests, audit } = this;
    this.#running = new RunningRequests({
      ...options,
      requests,
      audit,
      touch: (row) => this.#touch(row),
      learn: (attempts) => this.learn(attempts),
    });
    for (const home of options.store.homes()) this.#homes.set(home.uid, home);
  }

  changed(path: string): void {
    this.#options.changed(path);
  }

  // Homes

  homes(): number[] {
    return [...this.#homes.keys()].sort((a, b) => a - b);
  }

  home(uid: number): { gid: number; created: number } | undefined {
    return this.#homes.get(uid);
  }

  addHome(uid: number, gid: number): void {
    if (this.#homes.has(uid)) return;
    const created = this.clock.wall();
    this.#homes.set(uid, { gid, created });
    this.store.addHome(uid, gid, created);
  }

  // Providers and routes

  providers(): Map<string, Provider> {
    return allProviders(this.settings, this.env);
  }

  allowedProviders(uid: number): string[] | undefined {
    const names = listValues(this.settings.get(`home/${uid}/policy/allowed_providers`));
    return names.length === 0 || names.includes("*") ? undefined : names;
  }

  route(uid: number, format: FormatName, model: string | undefined, key: string): Route {
    return route({
      format,
      model,
      providers: this.providers(),
      allowed: this.allowedProviders(uid),
      defaultProvider: this.settings.get(`home/${uid}/route/default_provider`)?.trim() || undefined,
      health: this.health,
      env: this.env,
      now: this.clock.wall(),
      key,
    });
  }

  /** Keep what calls told about the providers. */
  learn(attempts: readonly Attempt[]): void {
    for (const { provider, reason, latencyMs } of attempts) {
      if (HEALTHY_CODES.has(reason)) continue;
      const ready = reason === "ready";
      this.health.set(provider, {
        status: ready ? "ready" : "failed",
        latencyMs,
        lastError: ready ? "" : reason,
        time: this.clock.wall(),
      });
    }
  }

  // Commits

  /** Take a request. Settles when it is on the disk; refuses with an errno, the body then untouched. */
  commit(actor: Actor, uid: number, surface: string, id: string, body: Uint8Array): Promise<void> {
    const label = surface.startsWith("api/") ? surface.slice(4) : surface;
    const print = fingerprint(label, id, body);
    const facts = { ...actorFacts(actor), name: id, surface: label, fingerprint: print };
    const found = this.requests.surface(uid, surface).rows.get(id);
    const existing = found?.hidden === ALL_HIDDEN ? undefined : found;
    if (existing !== undefined && isPending(existing)) throw errno("EAGAIN");
    if (existing?.state === "done" && existing.fingerprint === print) {
      this.audit.add({ event: "duplicate", ...facts });
      // Files that were removed meanwhile come back: the answer is what was asked for.
      existing.hidden &= ~(FilePart.request | FilePart.fingerprint | FilePart.route | FilePart.result);
      this.store.setHidden(existing);
      this.requests.put(existing);
      this.#touch(existing);
      return this.store.durable();
    }
    let plan: Plan;
    try {
      plan = this.#options.planner(this, { uid, gid: actor.gid, surface, id, body, fingerprint: print });
    } catch (error) {
      if (!(error instanceof Denied)) throw error;
      this.audit.add({
        event: "denied",
        ...facts,
        decision: error.reason,
        ...(error.provider === "" ? {} : { provider: error.provider }),
      });
      this.store.durable().catch(() => {});
      throw errno("EACCES");
    }
    const free = plan.provider === undefined || this.slots.isFree(plan.provider.id, plan.provider.limit);
    const row: RequestRow = {
      uid,
      gid: actor.gid,
      pid: actor.pid,
      surface,
      id,
      attempt: (existing?.attempt ?? this.store.lastAttempt(uid, surface, id)) + 1,
      state: free ? "running" : "queued",
      fingerprint: print,
      route: plan.route === null ? null : JSON.stringify(plan.route),
      bodyBytes: body.length,
      resultBytes: 0,
      streamBytes: 0,
      created: this.clock.wall(),
      finished: null,
      hidden: 0,
    };
    this.store.insertRequest(row, body);
    this.audit.add({
      event: "queued",
      ...facts,
      decision: "allow",
      ...(plan.provider === undefined ? {} : { provider: plan.provider.id }),
    });
    this.requests.put(row);
    // The slot is taken with the decision, so that the state on the disk stays true.
    const slot =
      plan.provider === undefined ? undefined : this.slots.take(plan.provider.id, plan.provider.limit);
    return this.store.durable().then(
      () => {
        this.#touch(row);
        this.#running.start(row, plan, slot);
      },
      (error: unknown) => {
        slot?.then((release) => release());
        this.requests.drop(row);
        if (existing !== undefined) this.requests.put(existing);
        this.log.error("a commit could not be stored", { error: toFailure(error).message });
        throw errno("EIO");
      },
    );
  }

  /** Continue after a restart: what was only queued runs, what may have reached a provider is not repeated. */
  recover(): void {
    for (const row of this.requests.pending()) {
      const facts = { uid: row.uid, gid: row.gid, pid: row.pid, name: row.id, surface: row.surface };
      if (row.state === "queued") {
        try {
          const { uid, gid, surface, id } = row;
          const body = this.store.body(row);
          const plan = this.#options.planner(this, {
            uid,
            gid,
            surface,
            id,
            body,
            fingerprint: row.fingerprint,
          });
          const slot =
            plan.provider === undefined ? undefined : this.slots.take(plan.provider.id, plan.provider.limit);
          this.#running.start(row, plan, slot);
          continue;
        } catch {
          // What could be planned before and cannot now ends like an interrupted one.
        }
      }
      this.audit.add({ event: "interrupted", ...facts });
      this.#running.finish(
        row,
        new Refusal(
          fail("execution_outcome_unknown", "the daemon ended while this request ran", {
            hint: "commit the request again to repeat it",
          }),
        ),
      );
    }
  }

  // Files of a request

  cancel(row: RequestRow): void {
    this.#running.cancel(row);
  }

  /** `rm` of one file. Removing the request itself cancels it while it runs. */
  removeFile(row: RequestRow, part: FilePartName, actor: Actor): Promise<void> {
    if (part === "request" && isPending(row)) {
      this.audit.add({
        event: "control",
        ...actorFacts(actor),
        name: row.id,
        surface: row.surface,
        decision: "cancel",
      });
      this.cancel(row);
    } else if (isPending(row)) throw errno("EBUSY");
    row.hidden |= FilePart[part];
    if (row.route === null) row.hidden |= FilePart.route;
    if (row.streamBytes === 0 && !isPending(row)) row.hidden |= FilePart.stream;
    if (row.hidden === ALL_HIDDEN) this.store.deleteRequest(row);
    else this.store.setHidden(row);
    this.#touch(row);
    return this.store.durable().then(() => {
      if (row.hidden === ALL_HIDDEN) this.requests.drop(row);
    });
  }

  #touch(row: RequestRow): void {
    const path = /^(api|thread|batch)\b/.test(row.surface) ? `home/${row.uid}/` : "";
    this.#options.changed(`${path}${row.surface}`);
  }

  // The host

  /** An answer from the host. */
  deliver(event: HostEvent): void {
    this.#host.deliver(event);
  }

  ask(message: Question, signal: AbortSignal, onDelta?: (delta: Delta) => void): Promise<HostEvent> {
    return this.#host.ask(message, signal, onDelta);
  }

  /** One model call along a route that is ready. */
  async chat(
    spec: { format: FormatName; body: JsonObject; route: Route; timeoutMs: number },
    context: Pick<RunContext, "signal" | "onDelta">,
  ): Promise<ChatResult> {
    const { format, body, timeoutMs } = spec;
    const call = { format, body, candidates: spec.route.candidates, timeoutMs };
    const event = await this.ask({ type: "chat", call }, context.signal, context.onDelta);
    if (event.type !== "chat") throw fail("internal");
    return event.result;
  }

  /** Run a tool on behalf of a uid, after policy and schema have been checked. */
  async runTool(
    tool: Tool,
    input: JsonObject,
    actor: Actor & { name: string },
    signal: AbortSignal,
  ): Promise<Json> {
    this.audit.add({
      event: "tool_call",
      ...actorFacts(actor),
      name: actor.name,
      tool: tool.id,
      decision: "allow",
    });
    const root = this.settings.get("tool/filesystem.read/root")?.trim();
    const call = {
      tool: tool.remoteName ?? tool.id,
      input,
      uid: actor.uid,
      gid: actor.gid,
      timeoutMs: 60_000,
      ...(root ? { root } : {}),
      ...(tool.server === undefined ? {} : { server: tool.server }),
    };
    const event = await this.ask({ type: "tool", call }, signal);
    if (event.type !== "tool") throw fail("internal");
    return event.output;
  }
}
