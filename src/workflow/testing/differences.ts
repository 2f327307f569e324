import { isObject, type Json } from "../../base/json.ts";
import type { Diagnostic } from "../diagnostic.ts";

/** What is refused here and not by the specification's schema, with the reason. */
export const STRICTER: readonly { reason: string; holds(diagnostic: Diagnostic): boolean }[] = [
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

/** A document with what is wider here changed back, and why. */
export function repaired(document: Json): { document: Json; reasons: string[] } {
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
