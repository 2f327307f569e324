import type { KeyObject } from "node:crypto";
import type { Artifacts } from "../artifacts/index.ts";
import { type Clock, neverBack } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { importSecretKey, newSigningKey } from "../protocol/index.ts";
import { type AcceptPort, readSetting, type Store, writeSettingOnce } from "../store/index.ts";
import { startAuditor } from "./auditor.ts";
import { Challenges } from "./challenge.ts";
import { ClaimDesk } from "./claim-desk.ts";
import { ClaimPace } from "./claim-pace.ts";
import { HeartbeatDesk } from "./heartbeat-desk.ts";
import { startReaper } from "./reaper.ts";
import { Refusals } from "./refusals.ts";
import type { Spool } from "./spool.ts";

export interface ControllerOptions {
  store: Store;
  artifacts: Artifacts;
  spool: Spool;
  clock: Clock;
  log: Log;
}

/** The controller role of one process: who may hold which lease. It never touches workflow state. */
export interface Controller extends ControllerOptions {
  readonly leaseKey: { publicKey: string; secret: KeyObject };
  readonly challenges: Challenges;
  readonly refusals: Refusals;
  readonly pace: ClaimPace;
  readonly claims: ClaimDesk;
  readonly heartbeats: HeartbeatDesk;
  /** The orchestrator of the same process, set by whoever composes the two; it takes results in the reporting commit. */
  acceptance: AcceptPort | null;
  stop(): void;
}

const KEY_SETTING = "controller.lease_key";

/** All controllers of one store sign with one key, made by the first. */
async function leaseKey(store: Store): Promise<Controller["leaseKey"] & { text: string }> {
  const stored =
    store.read(readSetting, KEY_SETTING) ??
    (await store.write(writeSettingOnce, { key: KEY_SETTING, value: JSON.stringify(newSigningKey()) }));
  const pair = JSON.parse(stored) as { publicKey: string; secret: string };
  return { publicKey: pair.publicKey, secret: importSecretKey(pair.secret), text: pair.secret };
}

export async function createController(given: ControllerOptions): Promise<Controller> {
  const options = { ...given, clock: neverBack(given.clock) };
  const { text, ...key } = await leaseKey(options.store);
  const challenges = new Challenges(text);
  const claims = new ClaimDesk(options.store, options.clock, key.secret);
  const heartbeats = new HeartbeatDesk(options.store, options.log);
  const stopReaper = startReaper(options.store, options.clock, options.log);
  const refusals = new Refusals(options.store, options.clock, options.log);
  const stopAuditor = startAuditor(options.store, options.clock, options.log);
  return {
    ...options,
    leaseKey: key,
    challenges,
    refusals,
    pace: new ClaimPace(options.clock),
    claims,
    heartbeats,
    acceptance: null,
    stop() {
      stopReaper();
      stopAuditor();
      claims.close();
      heartbeats.close();
      void refusals.flush();
    },
  };
}
