import type { Expression } from "@oxc-project/types";
import { SourceProblem } from "./diagnostics.ts";
import { ASSET_KINDS, type AssetKind, type AssetMeta, STABILITIES } from "./kinds.ts";
import { type AssetModule, constantOf } from "./module.ts";
import { nearest } from "./nearest.ts";
import { propertyName, staticValue, unwrap } from "./values.ts";

const EXAMPLE =
  'export const META = { id, title, kind: "workflow", description, stability: "draft" } as const satisfies AssetMeta';
/** One path segment of a run id, a document name and a file; dots separate its parts. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*$/;
/** Whether a text may be an asset's id. */
export const isAssetId = (id: string): boolean => ID.test(id) && id.length <= 128;

/** Semantic Versioning 2.0.0. */
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

export interface ReadMeta {
  readonly meta: AssetMeta;
  /** `META.version`, when it is stated. */
  readonly version: string | undefined;
  /** Where `META`'s value and its id stand. */
  readonly offset: number;
  readonly idOffset: number;
}

/** Read `META` of an asset, by the rules of the seed; `kind` and `stability` may be written as enum members. */
export function readMeta(module: AssetModule, path: string): ReadMeta {
  const initial = constantOf(module, "META");
  if (initial === undefined) {
    throw new SourceProblem("meta_missing", `asset ${path} does not define META`, EXAMPLE, 0);
  }
  const object = unwrap(initial);
  if (object.type !== "ObjectExpression") {
    throw new SourceProblem("meta_invalid", "META is not an object literal", EXAMPLE, object.start);
  }
  const values = new Map<string, { value: string; offset: number }>();
  for (const property of object.properties) {
    if (property.type === "SpreadElement") {
      throw new SourceProblem("meta_invalid", "META holds a spread", "write the members out", property.start);
    }
    const name = propertyName(property);
    if (!FIELDS.has(name)) continue;
    const value = enumMember(property.value, name) ?? staticValue(property.value, module.constants);
    if (typeof value !== "string") {
      throw new SourceProblem("meta_invalid", `META.${name} is not a string`, EXAMPLE, property.value.start);
    }
    if (values.has(name)) {
      throw new SourceProblem("meta_invalid", `META.${name} stands twice`, "remove one", property.start);
    }
    values.set(name, { value, offset: property.value.start });
  }
  const field = (name: string): { value: string; offset: number } => {
    const found = values.get(name);
    if (found === undefined) {
      throw new SourceProblem(
        "meta_missing",
        `asset ${path} does not define META: ${name} is missing`,
        EXAMPLE,
        object.start,
      );
    }
    return found;
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[]): T => {
    const { value, offset } = field(name);
    const found = allowed.find((item) => item === value);
    if (found !== undefined) return found;
    throw new SourceProblem(
      "meta_invalid",
      `META.${name} is ${JSON.stringify(value)}`,
      `write one of ${allowed.join(", ")}${nearest(value, allowed, ", probably ")}`,
      offset,
    );
  };
  const id = field("id");
  if (!isAssetId(id.value)) {
    throw new SourceProblem(
      "meta_invalid",
      `META.id ${JSON.stringify(id.value)} is not an asset id`,
      "write letters, digits, _ and - in parts joined by dots, at most 128: workflow.text_plan",
      id.offset,
    );
  }
  const version = values.get("version");
  if (version !== undefined && !VERSION.test(version.value)) {
    throw new SourceProblem(
      "meta_invalid",
      `META.version ${JSON.stringify(version.value)} is not a semantic version`,
      'write three numbers: version: "1.0.0"',
      version.offset,
    );
  }
  return {
    meta: {
      id: id.value,
      title: field("title").value,
      kind: oneOf<AssetKind>("kind", ASSET_KINDS),
      description: field("description").value,
      stability: oneOf("stability", STABILITIES),
    },
    version: version?.value,
    offset: object.start,
    idOffset: id.offset,
  };
}

const FIELDS = new Set(["id", "title", "kind", "description", "stability", "version"]);
const ENUMS: Readonly<Record<string, string>> = { kind: "AssetKind", stability: "Stability" };

/** `AssetKind.Workflow` as `workflow`: the member's name in lower case. */
function enumMember(wrapped: Expression, field: string): string | undefined {
  const node = unwrap(wrapped);
  if (node.type !== "MemberExpression" || node.computed || ENUMS[field] === undefined) return undefined;
  if (node.object.type !== "Identifier" || node.object.name !== ENUMS[field]) return undefined;
  return node.property.type === "Identifier" ? node.property.name.toLowerCase() : undefined;
}
