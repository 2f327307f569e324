import { type Static, Type } from "@sinclair/typebox";
import { closed, NO_EXPRESSION } from "./build.ts";
import { RuntimeExpression } from "./common.ts";
import { JsonPointer, Uri } from "./text.ts";

export const ErrorDefinition = closed(
  {
    type: Type.Union([Uri, RuntimeExpression]),
    status: Type.Integer(),
    instance: Type.Optional(Type.Union([JsonPointer, RuntimeExpression])),
    title: Type.Optional(Type.String()),
    detail: Type.Optional(Type.String()),
  },
  { $id: "ErrorDefinition" },
);
/** An RFC 9457 problem; `instance` defaults to the pointer of the task that raises it. */
export type ErrorDefinition = Static<typeof ErrorDefinition>;

export const ErrorFilter = closed(
  {
    type: Type.Optional(Type.String()),
    status: Type.Optional(Type.Integer()),
    instance: Type.Optional(Type.String()),
    title: Type.Optional(Type.String()),
    /** The name in DSL 1.0.3. */
    details: Type.Optional(Type.String()),
    /** The name in the renamed specification. */
    detail: Type.Optional(Type.String()),
  },
  { $id: "ErrorFilter", minProperties: 1, ...NO_EXPRESSION },
);
/** Every given field must be equal. */
export type ErrorFilter = Static<typeof ErrorFilter>;
