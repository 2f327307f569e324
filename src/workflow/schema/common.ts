import { type Static, Type } from "@sinclair/typebox";
import { AuthenticationReference } from "./authentication.ts";
import { anyValue, BARE_EXPRESSION, closed, freeMap, NO_EXPRESSION } from "./build.ts";
import { EXPRESSION_PATTERN, Uri } from "./text.ts";

/** A string that is one `${ … }` as a whole. */
export const RuntimeExpression = Type.String({
  $id: "RuntimeExpression",
  pattern: EXPRESSION_PATTERN,
  description: "a runtime expression, ${ … } as a whole",
});

/** Bare text or `${ … }`: places whose type is an expression, such as `if`. */
export const Condition = Type.String({ ...BARE_EXPRESSION, description: "a runtime expression" });

const DurationParts = closed(
  {
    days: Type.Optional(Type.Integer()),
    hours: Type.Optional(Type.Integer()),
    minutes: Type.Optional(Type.Integer()),
    seconds: Type.Optional(Type.Integer()),
    milliseconds: Type.Optional(Type.Integer()),
  },
  { $id: "DurationParts", minProperties: 1 },
);
export type DurationParts = Static<typeof DurationParts>;

export const Duration = Type.Union(
  [
    DurationParts,
    RuntimeExpression,
    Type.String({
      pattern:
        "^P(?!$)(\\d+(?:\\.\\d+)?Y)?(\\d+(?:\\.\\d+)?M)?(\\d+(?:\\.\\d+)?W)?(\\d+(?:\\.\\d+)?D)?(T(?=\\d)(\\d+(?:\\.\\d+)?H)?(\\d+(?:\\.\\d+)?M)?(\\d+(?:\\.\\d+)?S)?)?$",
      description: "an ISO 8601 duration such as PT30S",
    }),
  ],
  { $id: "Duration" },
);
/** Parts, an ISO 8601 text, or `${ … }` that gives an ISO 8601 text. */
export type Duration = Static<typeof Duration>;

export const Endpoint = Type.Union(
  [
    RuntimeExpression,
    Uri,
    closed({
      uri: Type.Union([Uri, RuntimeExpression]),
      authentication: Type.Optional(AuthenticationReference),
    }),
  ],
  { $id: "Endpoint" },
);
export type Endpoint = Static<typeof Endpoint>;

export const ExternalResource = closed(
  { name: Type.Optional(Type.String()), endpoint: Endpoint },
  { $id: "ExternalResource" },
);
export type ExternalResource = Static<typeof ExternalResource>;

export const SchemaDefinition = Type.Union(
  [
    closed({ format: Type.Optional(Type.String()), document: anyValue(NO_EXPRESSION) }),
    closed({ format: Type.Optional(Type.String()), resource: ExternalResource }),
  ],
  { $id: "SchemaDefinition" },
);
/** A schema written inline (`document`) or elsewhere (`resource`). `format` defaults to `json`. */
export type SchemaDefinition = Static<typeof SchemaDefinition>;

/** A whole-string expression, or an object with expressions in it. */
export const Transform = Type.Union([Condition, freeMap()]);
export type Transform = Static<typeof Transform>;

export const Input = closed(
  { schema: Type.Optional(SchemaDefinition), from: Type.Optional(Transform) },
  { $id: "Input" },
);
export type Input = Static<typeof Input>;

export const Output = closed(
  { schema: Type.Optional(SchemaDefinition), as: Type.Optional(Transform) },
  { $id: "Output" },
);
export type Output = Static<typeof Output>;

export const Export = closed(
  { schema: Type.Optional(SchemaDefinition), as: Type.Optional(Transform) },
  { $id: "Export" },
);
export type Export = Static<typeof Export>;

export const Timeout = closed({ after: Duration }, { $id: "Timeout" });
export type Timeout = Static<typeof Timeout>;

export const TimeoutOrName = Type.Union([Timeout, Type.String()]);
export type TimeoutOrName = Static<typeof TimeoutOrName>;

export const Catalog = closed({ endpoint: Endpoint }, { $id: "Catalog" });
export type Catalog = Static<typeof Catalog>;

/** `continue`, `exit`, `end`, or the name of a task in the same list. */
export const FlowDirective = Type.String({ $id: "FlowDirective" });
