import {
  type ObjectOptions,
  type SchemaOptions,
  type Static,
  type TProperties,
  type TSchema,
  type TUnsafe,
  Type,
} from "@sinclair/typebox";
import type { Json, JsonObject } from "../../base/json.ts";
import type { Task, TaskList } from "./task.ts";

/** An object that refuses what it does not name. */
export const closed = <T extends TProperties>(properties: T, options: ObjectOptions = {}) =>
  Type.Object(properties, { ...options, additionalProperties: false });

/** An object with any keys, each value of one schema. (`Type.Record` leaves keys that hold a newline unchecked.) */
export const mapOf = <T extends TSchema>(schema: T, options: ObjectOptions = {}) =>
  Type.Unsafe<Record<string, Static<T>>>(Type.Object({}, { ...options, additionalProperties: schema }));

/** An object of any content. */
export const freeMap = (options: ObjectOptions = {}) =>
  Type.Unsafe<JsonObject>(Type.Object({}, { ...options, additionalProperties: true }));

/** Any JSON value. */
export const anyValue = (options: SchemaOptions = {}) => Type.Unsafe<Json>(Type.Unknown(options));

/** A place whose type is an expression, such as `if`: bare text is one too. */
export const BARE_EXPRESSION = { "x-expression": "bare" } as const;

/** Text or data that is taken as it is written. */
export const NO_EXPRESSION = { "x-expression": "none" } as const;

/** A map whose named members may hold expressions, while the free ones are taken as they are written. */
export const NAMED_EXPRESSIONS = { "x-expression": "named" } as const;

/** An expression when the whole text is one; any other `${` in it means something to somebody else. */
export const PARTIAL_ALLOWED = { "x-expression": "whole" } as const;

/** One of a few words. */
export const wordOf = <const T extends readonly string[]>(...words: T) =>
  Type.Unsafe<T[number]>(Type.Union(words.map((word) => Type.Literal(word))));

/** A list entry of the DSL: an object with exactly one key, the name. */
export const named = <T extends TSchema>(schema: T) => mapOf(schema, { minProperties: 1, maxProperties: 1 });

/**
 * The two places where the schema meets itself. What they point at is given at compile time, because the task
 * types differ by mode; the static type is the widest.
 */
export const TaskReference: TUnsafe<Task> = Type.Unsafe<Task>(Type.Ref("Task"));
export const TaskListReference: TUnsafe<TaskList> = Type.Unsafe<TaskList>(Type.Ref("TaskList"));
