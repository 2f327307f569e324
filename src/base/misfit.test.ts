import { expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { misfit } from "./misfit.ts";

const closed = { additionalProperties: false };
const Sandbox = Type.Union([Type.Literal("process"), Type.Literal("bubblewrap")]);
const Settings = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 4, pattern: "^[a-z]*$" })),
    sandbox: Type.Optional(Sandbox),
    "a/b": Type.Optional(Type.Boolean()),
    tags: Type.Optional(Type.Array(Type.String(), { maxItems: 1 })),
    source: Type.Optional(
      Type.Union([
        Type.Object({ kind: Type.Literal("file"), path: Type.String() }, closed),
        Type.Object({ kind: Type.Literal("web"), url: Type.String(), tries: Type.Integer() }, closed),
      ]),
    ),
    level: Type.Optional(Type.String({ description: "a level such as info", pattern: "^(info|warn)$" })),
  },
  closed,
);

const said = (value: unknown, schema: TSchema = Settings): string | undefined => {
  const found = misfit(schema, value);
  return found && `${found.keys.join(" > ") || "."} ${found.reason}`;
};

test("a place that does not fit is told in words, without the value", () => {
  expect(said({ limit: 3, name: "ab", sandbox: "process", "a/b": true, tags: ["x"] })).toBeUndefined();
  expect(said([])).toBe(". must be an object");
  expect(said({ limti: 1 })).toBe("limti unknown field; did you mean limit?");
  expect(said({ whatever: 1 })).toBe("whatever unknown field");
  expect(said({ limit: 0 })).toBe("limit must be at least 1");
  expect(said({ limit: 10 })).toBe("limit must be at most 9");
  expect(said({ limit: "secret" })).toBe("limit must be a whole number");
  expect(said({ name: "" })).toBe("name must not be empty");
  expect(said({ name: "abcde" })).toBe("name has more than 4 characters");
  expect(said({ name: "AB" })).toBe("name must match ^[a-z]*$");
  expect(said({ level: "loud" })).toBe("level must be a level such as info");
  expect(said({ "a/b": "secret" })).toBe("a/b must be true or false");
  expect(said({ tags: ["a", "b"] })).toBe("tags has more than 1 members");
  expect(said({ tags: ["a", 2] })).toBe("tags has more than 1 members");
  expect(said({ tags: [2] })).toBe("tags > 0 must be a text");
  expect(said({}, Type.Object({ id: Type.String() }))).toBe("id is missing");
});

test("a choice names its values, and a union the form that comes nearest", () => {
  expect(said({ sandbox: "docker" })).toBe("sandbox must be one of process, bubblewrap");
  expect(said({ source: { kind: "file", pth: "x" } })).toBe("source > path is missing");
  expect(said({ source: { kind: "web", url: "x", tries: "y" } })).toBe(
    "source > tries must be a whole number",
  );
  expect(said({ source: 1 })).toBe("source has none of the forms that it may have");
});
