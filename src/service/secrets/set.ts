import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { MINIMUM_SECRET_BYTES } from "../../redaction/index.ts";
import {
  ensureKey,
  placeOf,
  REFERENCE_PATTERN,
  seal,
  secretTexts,
  secretValue,
} from "../../secrets/index.ts";
import { putSecret } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";

export const SecretName = Type.String({
  pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$",
  description: "a name of letters, digits, '.', '_' and '-'",
});

export const setSecret = defineOperation({
  name: "secret.set",
  scope: "admin",
  summary: "Give a secret its value, or say where it stands; the value is sealed and never shown",
  method: "POST",
  path: "/admin/secrets/:name",
  input: closed({
    name: SecretName,
    value: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536 })),
    /** `env:NAME`, `file:/absolute/path` or `systemd-creds:NAME`, read on the orchestrator's host at each use. */
    reference: Type.Optional(Type.String({ pattern: REFERENCE_PATTERN })),
  }),
  output: closed({ name: Text, created: Type.Boolean() }),
  async run(context, { name, value, reference }) {
    if ((value === undefined) === (reference === undefined))
      throw fail("invalid_request", "a secret has either a value or a reference");
    // Whoever may name files and variables of the host could read any of them through a workflow.
    if (reference !== undefined && !context.trustsPaths)
      throw fail("forbidden", "only a caller on this host may refer to its files and variables");
    const { tenantId } = context;
    if (value !== undefined) checkMaskable(value);
    const body = reference ?? seal(value!, placeOf(tenantId, name), ensureKey(context.stateDirectory));
    const created = await context.records.write(putSecret, {
      tenantId,
      name,
      kind: reference === undefined ? "value" : "reference",
      body,
      actor: context.principal.subject,
      now: context.clock.wall(),
    });
    return { name, created };
  },
});

/** What is too short to be masked in outputs would be shown there. */
function checkMaskable(text: string): void {
  const value = secretValue(text);
  if (typeof value === "string" && Buffer.byteLength(value.trim()) < MINIMUM_SECRET_BYTES)
    throw fail("invalid_request", `a secret needs ${MINIMUM_SECRET_BYTES} bytes or more to be masked`);
  if (typeof value !== "string" && secretTexts(value).length === 0)
    throw fail("invalid_request", "the object holds no text");
}
