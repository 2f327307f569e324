import type { AgentOutcome } from "../agents/index.ts";
import type { Clock } from "../base/clock.ts";
import { coalesce } from "../base/coalesce.ts";
import { newId } from "../base/ids.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import { hasEnded, processIdentity } from "../base/process-identity.ts";
import { CallError, executeCall } from "../calls/index.ts";
import type { EngineInput } from "../engine/index.ts";
import type { CallLimits } from "../policy/index.ts";
import { createRedaction } from "../redaction/index.ts";
import {
  type ClaimedCall,
  callOwners,
  claimCalls,
  type EnginePort,
  finishCall,
  heldCalls,
  progressOfCall,
  renewCalls,
  type Store,
  type StoredInput,
  tellOfCall,
} from "../store/index.ts";
import { agentResult } from "./agent-result.ts";
import { type CallOptions, callContexts } from "./call-options.ts";
import { callFailed, callRequest } from "./call-request.ts";

/** Calls at once: each holds a socket and a body, and the other side has limits too. */
const AT_ONCE = 256;
/** A claim that nobody renewed for this long is lost: well over what a busy event loop ever stops for. */
const CLAIM_MS = 10_000;
const CATCH_UP_MS = 1000;

interface Result {
  readonly input: EngineInput;
  /** For the history: `succeeded` or the kind of the error. */
  readonly status: string;
  readonly detail?: JsonObject;
}

interface Needs {
  store: Store;
  clock: Clock;
  log: Log;
}

/**
 * Makes the calls of workflows. Each is claimed with a fence and a marker before it goes out, and its result is taken
 * only while the claim holds, so that a crash at any point repeats nothing that must not be repeated.
 */
export class NativeLoop {
  readonly #needs: Needs;
  readonly #options: CallOptions;
  readonly #engine: EnginePort;
  readonly #limits: (call: ClaimedCall) => CallLimits;
  readonly #context: ReturnType<typeof callContexts>;
  readonly #unlisten: () => void;
  readonly #catchUp: ReturnType<typeof setInterval>;
  /** Who claims: another process, or this one after a restart, is somebody else. */
  readonly #owner = `${processIdentity()} ${newId()}`;
  readonly #making = new Map<string, AbortController>();
  /** Calls that were taken in the batch that runs, and are not made yet. */
  #promised = 0;
  /** Calls may wait for room: the next one that ends lets others begin. */
  #starved = false;
  readonly #wake = coalesce(() => (this.#stopped ? Promise.resolve() : this.#claim()));
  #stopped = false;

  constructor(
    needs: Needs,
    options: CallOptions,
    engine: EnginePort,
    limits: (call: ClaimedCall) => CallLimits,
  ) {
    this.#limits = limits;
    this.#needs = needs;
    this.#options = options;
    this.#engine = engine;
    this.#context = callContexts(options, needs.clock, needs.log);
    this.#unlisten = needs.store.listen((topic) => {
      if (topic === "call") this.#wake();
    });
    this.#catchUp = setInterval(() => {
      void this.#renew();
      this.#wake();
    }, CATCH_UP_MS);
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    clearInterval(this.#catchUp);
    for (const controller of this.#making.values()) controller.abort();
  }

  /** For calls that are put down in this process: taken with the same commit, while there is room. */
  claims(): ReturnType<NonNullable<EnginePort["claimsCalls"]>> {
    if (this.#stopped) return null;
    if (this.#making.size + this.#promised >= AT_ONCE) {
      this.#starved = true;
      return null;
    }
    // Those of one batch begin together, after it.
    if (this.#promised++ === 0)
      setImmediate(() => {
        this.#promised = 0;
      });
    const until = this.#needs.clock.wall() + CLAIM_MS;
    return { owner: this.#owner, until, make: (call) => void this.#make(call) };
  }

  async #claim(): Promise<void> {
    const { store, clock, log } = this.#needs;
    try {
      this.#dropLost();
      const limit = AT_ONCE - this.#making.size;
      this.#starved = limit <= 0;
      if (this.#starved) return;
      const now = clock.wall();
      const calls = await store.write(claimCalls, {
        owner: this.#owner,
        now,
        until: now + CLAIM_MS,
        limit,
        gone: this.#gone(),
      });
      if (calls.length === limit) this.#starved = true;
      for (const call of calls) void this.#make(call);
    } catch (error) {
      if (!this.#stopped) log.error("calls could not be claimed", { error: String(error) });
    }
  }

  /** Owners whose process has certainly ended: what they held need not wait until its claim runs out. */
  #gone(): string[] {
    return this.#needs.store
      .read(callOwners, null)
      .filter((owner) => owner !== this.#owner && hasEnded(owner.split(" ")[0]!));
  }

  /** End what was cancelled or taken over; whatever it would still answer is nobody's any more. */
  #dropLost(): void {
    if (this.#making.size === 0) return;
    const held = new Set(this.#needs.store.read(heldCalls, this.#owner).map(keyOf));
    for (const [key, controller] of this.#making) if (!held.has(key)) controller.abort();
  }

  async #renew(): Promise<void> {
    if (this.#making.size === 0 || this.#stopped) return;
    const { store, clock, log } = this.#needs;
    try {
      await store.write(renewCalls, { owner: this.#owner, until: clock.wall() + CLAIM_MS });
    } catch (error) {
      log.error("calls could not be renewed", { error: String(error) });
    }
  }

  async #make(call: ClaimedCall): Promise<void> {
    const { clock, log } = this.#needs;
    const key = keyOf(call);
    const controller = new AbortController();
    this.#making.set(key, controller);
    const began = clock.monotonic();
    try {
      const result = await this.#result(call, controller);
      // A process that is going down leaves the claim as it is: whoever comes next decides by the marker.
      if (this.#stopped) return;
      const durationMs = Math.round(clock.monotonic() - began);
      await this.#finish(call, result, durationMs);
    } catch (error) {
      if (!this.#stopped)
        log.error("a call's result could not be stored", { call: key, error: String(error) });
    } finally {
      this.#making.delete(key);
      if (this.#starved) this.#wake();
    }
  }

  async #result(call: ClaimedCall, controller: AbortController): Promise<Result> {
    const effect = call.effect_id;
    try {
      const secret = (name: string) => this.#options.secrets?.resolve(call.tenant_id, name);
      const request = callRequest(call, secret, this.#needs.clock.wall());
      // What the other side sends back of a secret is not kept either.
      const { secrets = [] } = request;
      const masked = (value: Json) => (secrets.length === 0 ? value : createRedaction(secrets).json(value));
      const told = (call.request as { each?: boolean }).each === true;
      const isAgent = request.kind === "agent" || request.kind === "agent-service";
      const each = (message: Json) =>
        isAgent ? this.#progress(call, masked(message)) : this.#tell(call, masked(message));
      const answer = await executeCall(
        told || isAgent ? { ...request, predicates: { ...request.predicates, each } } : request,
        this.#context(controller.signal, controller, this.#limits(call)),
      );
      if (isAgent) return agentResult(effect, masked(answer) as unknown as AgentOutcome);
      // What was told message by message is in the state already.
      const output = told ? null : masked(answer);
      return { input: { kind: "effect_succeeded", effect, output }, status: "succeeded" };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      return { input: callFailed(effect, error), status: error.type };
    }
  }

  /** One message of a call that goes on; it is on disk before the next one is looked at. */
  async #tell(call: ClaimedCall, message: Json): Promise<void> {
    const { store, clock } = this.#needs;
    const held = await store.write(tellOfCall, {
      engine: this.#engine,
      owner: this.#owner,
      call,
      input: { kind: "event", effect: call.effect_id, event: message } as unknown as StoredInput,
      now: clock.wall(),
    });
    if (!held) throw new CallError("communication", "the call is somebody else's now", 500, "none");
  }

  /** What an agent's service says meanwhile: a line of the history. */
  async #progress(call: ClaimedCall, message: Json): Promise<void> {
    const { store, clock } = this.#needs;
    await store.write(progressOfCall, { owner: this.#owner, call, detail: message, now: clock.wall() });
  }

  async #finish(call: ClaimedCall, { input, status, detail }: Result, durationMs: number): Promise<void> {
    const { store, clock } = this.#needs;
    await store.write(finishCall, {
      engine: this.#engine,
      owner: this.#owner,
      call,
      durationMs,
      status,
      detail: detail ?? {},
      input: input as unknown as StoredInput,
      now: clock.wall(),
    });
  }
}

const keyOf = (call: { instance_id: string; effect_id: string; fence: number }): string =>
  `${call.instance_id}/${call.effect_id}#${call.fence}`;
