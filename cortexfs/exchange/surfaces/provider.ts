import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { errno } from "../../fuse/errno.ts";
import { parseSecretReference } from "../../providers/secret.ts";
import { actorFacts, type Plan, type Planner } from "../engine.ts";
import { isHttpUrl, isName } from "../providers.ts";
import { bodyObject, bodyText } from "./body.ts";

const Upsert = Type.Object(
  {
    op: Type.Literal("upsert"),
    id: Type.String(),
    family: Type.Optional(Type.String()),
    name: Type.Optional(Type.String({ maxLength: 200 })),
    formats: Type.Array(
      Type.Union([
        Type.Literal("openai.chat"),
        Type.Literal("openai.responses"),
        Type.Literal("anthropic.messages"),
        Type.Literal("google.generate_content"),
      ]),
      { minItems: 1 },
    ),
    base_url: Type.String({ maxLength: 2000 }),
    key_ref: Type.Optional(Type.String({ maxLength: 2000 })),
    models: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 1000 })),
    default_model: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    priority: Type.Optional(Type.Integer({ minimum: -1000, maximum: 1000 })),
    weight: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    enabled: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600_000 })),
  },
  { additionalProperties: false },
);
const Remove = Type.Object(
  { op: Type.Literal("remove"), id: Type.String() },
  { additionalProperties: false },
);

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
  if (Value.Check(Remove, body)) {
    const { id } = body;
    return run(() => engine.settings.remove(`provider/${id}`), id);
  }
  if (!Value.Check(Upsert, body) || !isName(body.id) || body.id === "demo" || !isHttpUrl(body.base_url)) {
    throw errno("EINVAL");
  }
  if (["count", "list", "inbox", "outbox"].includes(body.id)) throw errno("EINVAL");
  if (body.key_ref !== undefined && parseSecretReference(body.key_ref) === undefined) throw errno("EINVAL");
  const { op: _op, family: _family, ...entry } = body;
  return run(() => engine.settings.set(`provider/${entry.id}/entry`, JSON.stringify(entry)), entry.id);
};
