import { afterEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { digestOf } from "../../src/base/canonical.ts";
import { ManualClock } from "../../src/base/clock.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import { findRun, Store } from "../../src/store/index.ts";

type Options = ConstructorParameters<typeof Orchestrator>[0];
type Start = Parameters<Orchestrator["start"]>[0];

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Have something ended after the test, what came last first. */
export const atEnd = (close: () => Promise<void> | void): void => void closers.push(close);

/** A document of these tasks, with more about itself. */
export const documentOf = (tasks: Json[], about: JsonObject = {}): JsonObject => ({
  document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0", ...about },
  do: tasks,
});

/** Start a document that nobody published. */
export const startDocument = (
  orchestrator: Pick<Orchestrator, "start">,
  runId: string,
  document: JsonObject,
  more: Partial<Start> = {},
) =>
  orchestrator.start({
    tenantId: "default",
    runId,
    idempotent: false,
    sourceEventId: null,
    workflow: "t",
    assetId: null,
    document,
    digest: digestOf(document),
    input: {},
    ...more,
  });

/** A store with a clock that the test moves, and as many orchestrators over it, one after the other, as it makes. */
export function stage(given: Partial<Options> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "stage-"));
  const clock = new ManualClock();
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  atEnd(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const orchestrator = (more: Partial<Options> = {}) => {
    const made = new Orchestrator({ store, artifacts, clock, log: silentLog, ...given, ...more });
    atEnd(() => made.stop());
    return made;
  };
  const row = (runId: string) => store.read(findRun, { tenantId: "default", runId });
  return { store, clock, orchestrator, row };
}
