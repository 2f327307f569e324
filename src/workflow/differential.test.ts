import { describe, expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import { isObject, type Json } from "../base/json.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { explain } from "./explain.ts";
import { Document } from "./schema/index.ts";
import { exampleTexts, featureTexts, notRun, specificationSchema } from "./testing/conformance.ts";
import { mutate, seeded } from "./testing/mutate.ts";
import { admits } from "./validate.ts";

/** What is refused here and not by the specification's schema, with the reason. */
const STRICTER: readonly { reason: string; holds(diagnostic: Diagnostic): boolean }[] = [
  {
    reason:
      "an object that the schema leaves open by omission is closed: a misspelt key would be ignored in silence",
    holds: ({ code, pointer }) =>
      code === "unknown_property" &&
      [
        /\/catch\/errors\/[^/]+$/,
        /\/catch\/errors\/with\/[^/]+$/,
        /\/emit\/event\/[^/]+$/,
        /\/correlate\/[^/]+\/[^/]+$/,
        /\/with\/[^/]+$/,
        /\/with\/(?:transport|client)\/[^/]+$/,
        /\/with\/transport\/(?:http|stdio)\/[^/]+$/,
        /\/(?:oauth2|oidc)\/(?:request|endpoints)\/[^/]+$/,
        /^\/use\/authentications\/[^/]+\/[^/]+$/,
      ].some((pattern) => pattern.test(pointer)),
  },
  {
    reason: "an emitted event has attributes: without them there is nothing to emit",
    holds: ({ code, pointer }) => code === "missing_property" && /\/emit\/event$/.test(pointer),
  },
  {
    reason:
      "`evaluate`, `metadata`, `$schema` and the filter `detail` have a meaning where the schema of 1.0.3 is open",
    holds: ({ pointer }) =>
      /^\/(?:evaluate|metadata|\$schema)(?:\/|$)|\/catch\/errors\/with\/detail$/.test(pointer),
  },
];

/** What is admitted here and not there: changed back, the specification's schema admits it. */
const WIDER: readonly { reason: string; repair(node: Record<string, unknown>): void }[] = [
  {
    reason: "an event may leave out `source`, which the engine fills in (renamed specification)",
    repair(node) {
      const event = isObject(node["emit"]) ? node["emit"]["event"] : undefined;
      const attributes = isObject(event) ? event["with"] : undefined;
      if (isObject(attributes)) attributes["source"] ??= "https://example.com";
    },
  },
  {
    reason: "`for.in` may be the list itself (renamed specification)",
    repair(node) {
      if (isObject(node["for"]) && Array.isArray(node["for"]["in"])) node["for"]["in"] = ".";
    },
  },
  {
    reason: "`catch.then` (renamed specification)",
    repair(node) {
      if (isObject(node["catch"]) && typeof node["catch"]["then"] === "string") delete node["catch"]["then"];
    },
  },
  {
    reason: "`schedule.read` (renamed specification)",
    repair(node) {
      if (isObject(node["schedule"]) && typeof node["schedule"]["read"] === "string")
        delete node["schedule"]["read"];
    },
  },
  {
    reason: "an expression may go over several lines, as a YAML block gives it",
    repair(node) {
      for (const [key, value] of Object.entries(node))
        if (typeof value === "string" && /^\s*\$\{[\s\S]+\}\s*$/.test(value))
          node[key] = value.replaceAll("\n", " ");
    },
  },
];

function repaired(document: Json): { document: Json; reasons: string[] } {
  const copy = structuredClone(document);
  const reasons = WIDER.filter(({ repair }) => {
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
