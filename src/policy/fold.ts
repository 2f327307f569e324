import { fail } from "../base/errors.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { deniedOf, getValue, type PolicyField, type PolicyValue, setValue, stated } from "./fields.ts";
import { refuseUnheld } from "./unheld.ts";

export type LayerKind = "profile" | "service" | "tenant" | "workspace" | "workflow" | "task";

export interface NamedLayer {
  readonly kind: LayerKind;
  /** Of the profile, the tenant, the policy file, the workflow or the task. */
  readonly id: string;
  readonly version: number | null;
  readonly policy: PolicyLayer;
}

/** What layers come to, and which of them had the last word on each field. */
export interface Folded {
  readonly bounds: PolicyLayer;
  /** By field path: the layers that made the value what it is. */
  readonly decidedBy: ReadonlyMap<string, readonly string[]>;
  /** What workflow and task asked for, joined: a workspace limits what they may ask, and asks for nothing itself. */
  readonly asked: PolicyLayer;
}

/** Layers that only cap what others ask; all others ask, and are refused when they ask for more than there is. */
const CAPS: readonly LayerKind[] = ["profile", "service", "tenant"];

export function layerName({ kind, id, version }: Pick<NamedLayer, "kind" | "id" | "version">): string {
  if (kind === "profile") return `profile ${id}@${version}`;
  if (kind === "service") return `service policy@${version}`;
  if (kind === "tenant") return `tenant policy ${id}@${version}`;
  return kind === "workspace" ? `workspace policy ${id}` : kind;
}

export const NOTHING_FOLDED: Folded = { bounds: {}, decidedBy: new Map(), asked: {} };

/**
 * Narrow what earlier layers left by one more.
 * @throws Failure `execution_policy_denied` with `details.layer` and `details.field` when a layer that asks asks for more
 */
export function narrow(before: Folded, layer: NamedLayer): Folded {
  const name = layerName(layer);
  const asks = !CAPS.includes(layer.kind);
  if (asks) refuseUnheld(layer.policy);
  // Fields of the result are replaced, never changed in place: the parts of `before` stay as they are.
  const bounds = copy(before.bounds);
  const requests = layer.kind === "workflow" || layer.kind === "task";
  const asked = requests ? copy(before.asked) : before.asked;
  const decidedBy = new Map(before.decidedBy);
  for (const [field, value] of stated(layer.policy)) {
    const bound = getValue(bounds, field.path);
    const deciders = decidedBy.get(field.path) ?? [];
    if (asks) {
      refuseMore(layer, field, value, bound, before.bounds, deciders);
    }
    if (requests) {
      const earlier = getValue(asked, field.path);
      setValue(asked, field.path, field.join(value, earlier ?? value));
    }
    const joined = field.join(value, bound ?? value);
    setValue(bounds, field.path, joined);
    if (bound === undefined || !same(joined, bound)) {
      decidedBy.set(
        field.path,
        same(joined, field.join(value, value)) && field.meet !== "union" ? [name] : [...deciders, name],
      );
    }
  }
  return { bounds, decidedBy, asked };
}

const copy = (layer: PolicyLayer): PolicyLayer => ({
  ...layer,
  ...(layer.allow === undefined ? {} : { allow: { ...layer.allow } }),
  ...(layer.deny === undefined ? {} : { deny: { ...layer.deny } }),
  ...(layer.limits === undefined ? {} : { limits: { ...layer.limits } }),
});

const same = (a: PolicyValue, b: PolicyValue): boolean =>
  a === b ||
  (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, at) => each === b[at]));

function refuseMore(
  layer: NamedLayer,
  field: PolicyField,
  value: PolicyValue,
  bound: PolicyValue | undefined,
  bounds: PolicyLayer,
  deciders: readonly string[],
): void {
  const set = field.path.startsWith("allow.") ? field.path.slice("allow.".length) : null;
  const denied = set === null ? undefined : getValue(bounds, `deny.${set}`);
  const forbidden = denied === undefined ? null : deniedOf(set!, value as string[], denied as string[]);
  const more = forbidden ?? (bound === undefined ? null : field.wider(value, bound));
  if (more === null) return;
  const decided = forbidden === null ? deciders.join(" and ") : "a deny list";
  const name = layerName(layer);
  throw fail(
    "execution_policy_denied",
    `the ${name} asks for ${field.path} ${more}, which ${decided} does not allow`,
    {
      hint: "ask for less, or have an operator approve more; `lightflow policy explain` shows every field",
      details: {
        layer: layer.kind,
        layerId: layer.id,
        field: field.path,
        asked: value,
        ...(bound === undefined ? {} : { bound }),
        decidedBy: deciders,
      },
    },
  );
}
