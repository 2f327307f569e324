import { type TSchema, Type } from "@sinclair/typebox";
import type { Json, JsonObject } from "../base/json.ts";

import { closed as closedObject } from "../protocol/common.ts";

export { closed } from "../protocol/common.ts";

/** A run id is one path segment: letters, digits, `.`, `_`, `-`, not `.` or `..`, at most 128. */
export const RunId = Type.String({ pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,128}$" });
export const After = Type.Optional(Type.Integer({ minimum: 0 }));
export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }));
/** How long to wait for something new when there is nothing, in milliseconds. */
export const WaitMs = Type.Optional(Type.Integer({ minimum: 0, maximum: 25_000 }));

/** Any JSON value, typed for the code that answers with it. */
export const AnyJson = Type.Unsafe<Json>({});
/** An object whose members are the workflow's or the caller's own. */
export const AnyObject = Type.Unsafe<JsonObject>({ type: "object" });
export const Text = Type.String();
export const Integer = Type.Integer();
/** RFC 3339 in UTC. */
export const Time = Type.String({ format: "date-time" });
export const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
export const oneOf = <Value extends string>(...values: Value[]) =>
  Type.Union(values.map((value) => Type.Literal(value)));
/** A shape that clients see by its name: a component of the OpenAPI document. */
export const named = <Schema extends TSchema>(title: string, schema: Schema): Schema => ({
  ...schema,
  title,
});
/** The answer to whatever starts a run. */
export const StartedRun = named(
  "StartedRun",
  closedObject({ run_id: RunId, instance_id: Text, created: Type.Boolean() }),
);
