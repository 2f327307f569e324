import { Type } from "@sinclair/typebox";
import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { findRun, type InstanceRow, listOutcomes, optionsOf, readDefinition } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { stepsOfRun } from "../runs/steps.ts";
import { runView } from "../runs/view.ts";
import { closed, nullable, RunId, Text } from "../shapes.ts";
import { assetOf } from "./again.ts";

const Part = { recorded: nullable(Text), now: nullable(Text), drifted: Type.Boolean() };
const StepPart = Type.Array(closed({ step_id: Text, reference: Text, ...Part }));

export const driftOfRun = defineOperation({
  name: "run.drift",
  scope: "read",
  summary: "What a replay found changed: the asset's file, the models, who executed, the outputs by digest",
  method: "GET",
  path: "/runs/:run_id/drift",
  input: closed({ run_id: RunId }),
  output: closed({
    run_id: Text,
    replayed_from: Text,
    status: Text,
    drifted: Type.Boolean(),
    asset: closed({ id: nullable(Text), ...Part }),
    models: Type.Array(closed({ alias: Text, ...Part })),
    executors: StepPart,
    outputs: StepPart,
    output: closed(Part),
  }),
  async run(context, input) {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    const { origin } = optionsOf(row);
    if (origin === undefined) {
      throw fail("conflict", `conflict: run ${input.run_id} repeats no other`, {
        hint: `replay it: lightflow run replay ${input.run_id}`,
      });
    }
    const before = context.views.read(findRun, { tenantId: context.tenantId, runId: origin.run_id });
    const document = context.views.read(readDefinition, before.definition_digest) ?? {};
    const sources = await sourcesNow(context, assetOf(document));
    const asset = { id: assetOf(document), ...part(sourceOf(document), sources.asset) };
    const models = modelsOf(document).map(({ alias, source }) => ({
      alias,
      ...part(source, sources.models.get(alias) ?? null),
    }));
    const executors = pairs(executorsOf(context, before), executorsOf(context, row));
    const outputs = pairs(outputsOf(context, before), outputsOf(context, row));
    const output = part(digestOf(runView(before).output), digestOf(runView(row).output));
    const all = [asset, ...models, ...executors, ...outputs, output];
    return {
      run_id: row.run_id,
      replayed_from: origin.run_id,
      status: runView(row).status,
      drifted: all.some(({ drifted }) => drifted),
      asset,
      models,
      executors,
      outputs,
      output,
    };
  },
});

const part = (recorded: string | null, now: string | null) => ({ recorded, now, drifted: recorded !== now });

type Steps = ReadonlyMap<string, { step_id: string; value: string }>;

function pairs(before: Steps, after: Steps) {
  return [...new Set([...before.keys(), ...after.keys()])].map((reference) => {
    const left = before.get(reference);
    const right = after.get(reference);
    return {
      step_id: (left ?? right)!.step_id,
      reference,
      ...part(left?.value ?? null, right?.value ?? null),
    };
  });
}

function executorsOf(context: ServiceContext, row: InstanceRow): Steps {
  return new Map(
    stepsOfRun(context, row).flatMap((step) => {
      const last = step.attempts.at(-1);
      if (last === undefined) return [];
      return [
        [step.reference, { step_id: step.step_id, value: `${last.runner_id} (${last.sandbox ?? "none"})` }],
      ];
    }),
  );
}

/** A command's record without what differs each time. */
function outputsOf(context: ServiceContext, row: InstanceRow): Steps {
  return new Map(
    context.views.read(listOutcomes, { instanceId: row.id }).map(({ reference, step_id, output }) => {
      const {
        durationMs: _,
        summary: __,
        ...lasting
      } = (isObject(output) ? output : { output }) as JsonObject;
      return [reference, { step_id, value: digestOf(lasting) }];
    }),
  );
}

function sourceOf(document: JsonObject): string | null {
  const metadata = (document["document"] as JsonObject | undefined)?.["metadata"] as JsonObject | undefined;
  const source = (metadata?.["lightFlow"] as JsonObject | undefined)?.["sourceSha256"];
  return typeof source === "string" ? source : null;
}

/** The models that the steps of a document name, with the digests of their files at the time. */
function modelsOf(document: JsonObject): { alias: string; source: string | null }[] {
  const found = new Map<string, string | null>();
  const visit = (value: Json | undefined): void => {
    if (typeof value !== "object" || value === null) return;
    const light = Array.isArray(value) ? undefined : value["lightFlow"];
    const models = isObject(light) ? (light as JsonObject)["models"] : undefined;
    if (Array.isArray(models)) {
      for (const model of models as JsonObject[])
        found.set(String(model["alias"]), typeof model["source"] === "string" ? model["source"] : null);
    }
    for (const member of Object.values(value)) visit(member);
  };
  visit(document["do"]);
  return [...found].map(([alias, source]) => ({ alias, source }));
}

async function sourcesNow(context: ServiceContext, asset: string | null) {
  const none = { asset: null, models: new Map<string, string>() };
  if (asset === null) return none;
  const { discoverAssets } = await import("../../assets/index.ts");
  const { assets } = discoverAssets(context.root, { kinds: ["workflow", "model"] });
  const digest = (kind: string, id: string) =>
    assets.find(({ meta }) => meta.kind === kind && meta.id === id)?.source_sha256 ?? null;
  return {
    asset: digest("workflow", asset),
    models: new Map(
      assets.filter(({ meta }) => meta.kind === "model").map((each) => [each.meta.id, each.source_sha256]),
    ),
  };
}
