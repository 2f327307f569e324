import { describe, expect, test } from "bun:test";
import { validate } from "@serverlessworkflow/sdk";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import { isObject, type Json, type JsonObject } from "../../src/base/json.ts";
import { explain } from "../../src/workflow/explain.ts";
import { Document } from "../../src/workflow/schema/index.ts";
import {
  exampleTexts,
  featureTexts,
  notRun,
  specificationSchema,
} from "../../src/workflow/testing/conformance.ts";
import { repaired, STRICTER } from "../../src/workflow/testing/differences.ts";
import { mutate, seeded } from "../../src/workflow/testing/mutate.ts";
import { admits } from "../../src/workflow/validate.ts";

/** The SDK holds the schema of DSL 1.0.0; what came since, changed back. */
const SINCE: readonly { reason: string; repair(node: Record<string, unknown>): void }[] = [
  {
    reason: "since 1.0.1: headers and query of an HTTP call may be one expression",
    repair(node) {
      const args = node["call"] === "http" ? node["with"] : undefined;
      if (isObject(args))
        for (const key of ["headers", "query"]) if (typeof args[key] === "string") args[key] = {};
    },
  },
  {
    reason: "since 1.0.1: a process has `stdin` and a list of arguments, a container a pull policy",
    repair(node) {
      const { run } = node;
      if (!isObject(run)) return;
      for (const kind of ["container", "script", "shell"])
        if (isObject(run[kind]))
          for (const key of ["stdin", "arguments", "pullPolicy"]) delete run[kind][key];
    },
  },
  {
    reason: "since 1.0.1: `set` may be one expression",
    repair(node) {
      if (typeof node["set"] === "string") node["set"] = { value: node["set"] };
    },
  },
];

function older(document: Json): { document: Json; reasons: string[] } {
  const copy = structuredClone(document);
  const reasons = SINCE.filter(({ repair }) => {
    const before = JSON.stringify(copy);
    const visit = (node: unknown): void => {
      if (isObject(node)) repair(node);
      if (typeof node === "object" && node !== null) for (const child of Object.values(node)) visit(child);
    };
    visit(copy);
    return JSON.stringify(copy) !== before;
  }).map(({ reason }) => reason);
  return { document: copy, reasons };
}

/** The SDK wants its own version; which one a document names is no matter of the schema. */
function sdkAdmits(document: Json): boolean {
  if (!isObject(document) || !isObject(document["document"])) return false;
  const { dsl } = document["document"];
  const known = typeof dsl === "string" && /^1\.0\.\d+$/.test(dsl);
  const header = known ? { ...document["document"], dsl: "1.0.0" } : document["document"];
  try {
    validate("Workflow", { ...(document as JsonObject), document: header } as never);
    return true;
  } catch {
    return false;
  }
}

const SEED = Number(process.env["LIGHTFLOW_SEED"] ?? 20260122);
const COUNT = Number(process.env["LIGHTFLOW_MUTATIONS"] ?? 1000);

describe.if(notRun === undefined)("beside @serverlessworkflow/sdk", () => {
  const originals = [...exampleTexts(), ...featureTexts()].map(({ text }) => parse(text) as Json);

  test("it admits every example that needs nothing newer than its own schema", () => {
    const newer = originals.filter((document) => !sdkAdmits(document));
    for (const document of newer) expect(sdkAdmits(older(document).document)).toBe(true);
    expect(newer.length).toBeLessThan(originals.length / 10);
  });

  test(`the same set is admitted over ${COUNT} mutations, but for the listed reasons`, () => {
    const ajv = new Ajv2020({ strict: false, logger: false });
    addFormats.default(ajv);
    const specification = ajv.compile(specificationSchema());
    const random = seeded(SEED);
    const differences = new Map<string, number>();
    const unexplained: unknown[] = [];
    let both = 0;
    for (let index = 0; index < COUNT; index++) {
      const document = mutate(originals[random(originals.length)]!, originals, random);
      const ours = admits(document, "strict");
      const theirs = sdkAdmits(document);
      if (ours === theirs) {
        if (ours) both++;
        continue;
      }
      const reasons = ours ? widerReasons(document, specification) : stricterReasons(document, specification);
      if (reasons.length === 0) unexplained.push({ ours, document });
      for (const reason of reasons) differences.set(reason, (differences.get(reason) ?? 0) + 1);
    }
    expect(unexplained).toEqual([]);
    expect(both).toBeGreaterThan(COUNT / 10);
    for (const [reason, count] of differences) console.log(`difference ×${count}: ${reason}`);
  });
});

type Check = (document: unknown) => unknown;

/** Why a document is admitted here and not by the SDK. */
function widerReasons(document: Json, specification: Check): string[] {
  const back = repaired(document);
  const before = older(back.document);
  if (sdkAdmits(before.document)) return [...back.reasons, ...before.reasons];
  return specification(back.document) === true
    ? [...back.reasons, "the schema of 1.0.3 admits it, that of 1.0.0 did not"]
    : [];
}

/** Why a document is refused here and not by the SDK. */
function stricterReasons(document: Json, specification: Check): string[] {
  if (specification(document) !== true) return ["the schema of 1.0.3 refuses it, that of 1.0.0 did not"];
  const rules = explain(Document, document, "strict").map((diagnostic) =>
    STRICTER.find(({ holds }) => holds(diagnostic)),
  );
  return rules.includes(undefined) ? [] : [...new Set(rules.map((rule) => rule!.reason))];
}
