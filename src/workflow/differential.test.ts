import { describe, expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import type { Json } from "../base/json.ts";
import { explain } from "./explain.ts";
import { Document } from "./schema/index.ts";
import { exampleTexts, featureTexts, notRun, specificationSchema } from "./testing/conformance.ts";
import { repaired, STRICTER } from "./testing/differences.ts";
import { mutate, seeded } from "./testing/mutate.ts";
import { admits } from "./validate.ts";

/** A longer run raises the one and changes the other. */
const SEED = Number(process.env["LIGHTFLOW_SEED"] ?? 20260121);
const COUNT = Number(process.env["LIGHTFLOW_MUTATIONS"] ?? 3000);

describe.if(notRun === undefined)("beside the specification's own schema", () => {
  test(`the same set is admitted over the examples and ${COUNT} mutations, but for the listed reasons`, () => {
    const ajv = new Ajv2020({ strict: false, logger: false });
    addFormats.default(ajv);
    const specification = ajv.compile(specificationSchema());
    const originals = [...exampleTexts(), ...featureTexts()].map(({ text }) => parse(text) as Json);
    const random = seeded(SEED);
    const differences = new Map<string, number>();
    const unexplained: unknown[] = [];
    let admitted = 0;
    const compare = (document: Json) => {
      const ours = admits(document, "strict");
      const theirs = specification(document as object) === true;
      if (ours) admitted++;
      if (ours === theirs) return;
      const count = (reason: string) => differences.set(reason, (differences.get(reason) ?? 0) + 1);
      if (theirs) {
        const diagnostics = explain(Document, document, "strict");
        const rules = diagnostics.map((diagnostic) => STRICTER.find(({ holds }) => holds(diagnostic)));
        if (rules.length === 0 || rules.includes(undefined))
          unexplained.push({ stricter: diagnostics, document });
        else for (const rule of new Set(rules)) count(rule!.reason);
      } else {
        const { document: older, reasons } = repaired(document);
        if (specification(older as object) === true) for (const reason of reasons) count(reason);
        else unexplained.push({ wider: specification.errors?.slice(0, 3), document });
      }
    };
    for (const document of originals) compare(document);
    expect(admitted).toBe(originals.length);
    for (let index = 0; index < COUNT; index++) {
      let document: Json = originals[random(originals.length)]!;
      for (let times = 1 + random(2); times > 0; times--) document = mutate(document, originals, random);
      compare(document);
    }
    expect(unexplained).toEqual([]);
    // Both outcomes are well represented, or the comparison would say little.
    expect(admitted).toBeGreaterThan(COUNT / 10);
    expect(admitted).toBeLessThan((COUNT * 9) / 10);
    for (const [reason, count] of differences) console.log(`difference ×${count}: ${reason}`);
  });

  test("what TypeBox refuses has an explanation, and what it admits has none", () => {
    const originals = [...exampleTexts(), ...featureTexts()].map(({ text }) => parse(text) as Json);
    const random = seeded(SEED + 1);
    for (let index = 0; index < COUNT; index++) {
      const document = mutate(originals[random(originals.length)]!, originals, random);
      for (const mode of ["strict", "light"] as const) {
        const found = explain(Document, document, mode);
        if (admits(document, mode) !== (found.length === 0))
          expect({ document, mode, found }).toBeUndefined();
      }
    }
  });
});
