import type { JsonObject } from "../../../src/base/json.ts";
import { errno } from "../../fuse/errno.ts";
import { FORMATS } from "../../providers/dialects.ts";
import { parseSecretReference } from "../../providers/secret.ts";
import { actorFacts, type Plan, type Planner } from "../plan.ts";
import { isHttpUrl, isName, type RegistryEntry } from "../providers.ts";
import { schemaProblem } from "../schema-check.ts";
import { bodyObject, bodyText } from "./body.ts";

const name: JsonObject = { type: "string", minLength: 1, maxLength: 200 };

const UPSERT: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["op", "id", "formats", "base_url"],
  properties: {
    op: { const: "upsert" },
    id: name,
    family: name,
    name,
    formats: { type: "array", minItems: 1, items: { enum: [...FORMATS] } },
    base_url: { type: "string", maxLength: 2000 },
    key_ref: { type: "string", maxLength: 2000 },
    models: { type: "array", maxItems: 1000, items: name },
    default_model: name,
    priority: { type: "integer", minimum: -1000, maximum: 1000 },
    weight: { type: "integer", minimum: 1, maximum: 1000 },
    enabled: { type: "boolean" },
    limit: { type: "integer", minimum: 1, maximum: 10_000 },
    timeout_ms: { type: "integer", minimum: 1, maximum: 3_600_000 },
  },
};
const REMOVE: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["op", "id"],
  properties: { op: { const: "remove" }, id: name },
};
/** Names that `provider/` has for itself, and the one that is built in. */
const RESERVED = new Set(["count", "list", "inbox", "outbox", "demo", "environment"]);

/** `provider/inbox`: add, change or remove a registry entry. A key is a reference; a key itself is refused. */
export const planProvider: Planner = (engine, request): Plan => {
  const body = bodyObject(bodyText(request.body));
  const run = (change: () => Promise<void>, id: string): Plan => ({
    route: null,
    provider: undefined,
    streams: false,
    run: async ({ row }) => {
      await change();
      engine.audit.add({ event: "configured", ...actorFacts(row), name: `provider/${id}` });
      return { body: `${JSON.stringify({ request_id: row.id, id, status: "configured" })}\n` };
    },
  });
  if (schemaProblem(REMOVE, body) === undefined) {
    const id = body["id"] as string;
    return run(() => engine.settings.remove(`provider/${id}`), id);
  }
  if (schemaProblem(UPSERT, body) !== undefined) throw errno("EINVAL");
  const { op: _op, family: _family, ...rest } = body;
  const entry = rest as unknown as RegistryEntry;
  if (!isName(entry.id) || RESERVED.has(entry.id) || !isHttpUrl(entry.base_url)) throw errno("EINVAL");
  if (entry.key_ref !== undefined && parseSecretReference(entry.key_ref) === undefined) throw errno("EINVAL");
  return run(() => engine.settings.set(`provider/${entry.id}/entry`, JSON.stringify(entry)), entry.id);
};
