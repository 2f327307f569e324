import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import { Long, protobuf } from "./library.ts";

/**
 * The JSON mapping of Protocol Buffers (ProtoJSON), both ways: fields in lowerCamelCase, or as the proto spells them on
 * the way in; enums by name, 64-bit integers as text, bytes as base64, Google's well-known types in their own forms.
 * Fields without a value come out with their default, messages without one as `null`.
 */
export function messageFromJson(type: protobuf.Type, value: Json, path = ""): Record<string, unknown> {
  const known = WELL_KNOWN[type.fullName];
  if (known !== undefined) return known.from(value, path);
  if (!isObject(value)) throw wrong(path, "must be an object");
  const fields = new Map<string, protobuf.Field>();
  for (const field of type.fieldsArray) fields.set(field.name, field).set(jsonName(field), field);
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value as JsonObject)) {
    const at = path === "" ? key : `${path}.${key}`;
    const field = fields.get(key);
    if (field === undefined) throw wrong(at, `is not a field of ${type.name}`);
    if (item === null && field.resolvedType?.fullName !== ".google.protobuf.Value") continue;
    result[field.name] = fieldFromJson(field, item, at);
  }
  return result;
}

function fieldFromJson(field: protobuf.Field, value: Json, path: string): unknown {
  if (field.map) {
    if (!isObject(value)) throw wrong(path, "must be an object");
    return Object.fromEntries(
      Object.entries(value as JsonObject).map(([key, item]) => [
        key,
        singleFromJson(field, item, `${path}.${key}`),
      ]),
    );
  }
  if (!field.repeated) return singleFromJson(field, value, path);
  if (!Array.isArray(value)) throw wrong(path, "must be a list");
  return value.map((item, index) => singleFromJson(field, item, `${path}[${index}]`));
}

function singleFromJson(field: protobuf.Field, value: Json, path: string): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return messageFromJson(type, value, path);
  if (type instanceof protobuf.Enum) {
    const number = typeof value === "string" ? type.values[value] : value;
    if (typeof number !== "number" || !Number.isInteger(number))
      throw wrong(path, `is not a value of ${type.name}`);
    return number;
  }
  return scalarFromJson(field.type, value, path);
}

function scalarFromJson(type: string, value: Json, path: string): unknown {
  switch (type) {
    case "string":
      if (typeof value !== "string") throw wrong(path, "must be a text");
      return value;
    case "bool":
      if (typeof value !== "boolean") throw wrong(path, "must be a boolean");
      return value;
    case "bytes":
      try {
        return Buffer.from(
          Uint8Array.fromBase64(String(value), {
            alphabet: /[-_]/.test(String(value)) ? "base64url" : "base64",
          }),
        );
      } catch {
        throw wrong(path, "must be base64 text");
      }
    case "float":
    case "double": {
      const number = typeof value === "string" && value.trim() === "" ? Number.NaN : Number(value);
      if (
        (Number.isNaN(number) && value !== "NaN") ||
        typeof value === "boolean" ||
        typeof value === "object"
      )
        throw wrong(path, "must be a number");
      return number;
    }
    default: {
      // Kept as text where it is 64 bits wide, which a number here cannot hold.
      const text = String(value);
      if (!/^-?\d+$/.test(text) || typeof value === "boolean") throw wrong(path, "must be an integer");
      const number = BigInt(text);
      const [low, high] =
        RANGES[type.replace(/^s?fixed|^sint/, (word) => (word === "fixed" ? "uint" : "int"))]!;
      if (number < low || number > high) throw wrong(path, `is out of the range of ${type}`);
      return type.endsWith("64")
        ? Long.fromString(text, type.startsWith("u") || type === "fixed64")
        : Number(text);
    }
  }
}

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

export function messageToJson(type: protobuf.Type, message: protobuf.Message): Json {
  const plain = type.toObject(message, {
    longs: String,
    enums: String,
    bytes: String,
    defaults: true,
    json: true,
  });
  return plainToJson(type, plain);
}

function plainToJson(type: protobuf.Type, plain: Record<string, unknown>): Json {
  const known = WELL_KNOWN[type.fullName];
  if (known !== undefined) return known.to(plain);
  const result: JsonObject = {};
  for (const field of type.fieldsArray) {
    const value = plain[field.name];
    if (value === undefined) continue;
    const inner = field.resolvedType;
    const convert = (item: unknown): Json =>
      inner instanceof protobuf.Type && isObject(item) ? plainToJson(inner, item) : ((item ?? null) as Json);
    result[jsonName(field)] = field.map
      ? Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, convert(item)]))
      : Array.isArray(value)
        ? value.map(convert)
        : convert(value);
  }
  return result;
}

function jsonName(field: protobuf.Field): string {
  const stated = field.options?.["json_name"] as unknown;
  if (typeof stated === "string") return stated;
  return field.name.replace(/_+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function wrong(path: string, reason: string) {
  return callError("validation", `the argument \`${path === "" ? "arguments" : path}\` ${reason}`);
}

interface WellKnown {
  from(value: Json, path: string): Record<string, unknown>;
  to(plain: Record<string, unknown>): Json;
}

const wrapper = (scalar: string): WellKnown => ({
  from: (value, path) => ({ value: scalarFromJson(scalar, value, path) }),
  to: ({ value }) => (value ?? null) as Json,
});

const valueFrom = (value: Json): Record<string, unknown> => {
  if (value === null) return { nullValue: 0 };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Array.isArray(value)
    ? { listValue: { values: value.map(valueFrom) } }
    : { structValue: structFrom(value) };
};
const structFrom = (value: JsonObject) => ({
  fields: Object.fromEntries(Object.entries(value).map(([key, item]) => [key, valueFrom(item)])),
});
type Plain = Record<string, unknown>;
const valueTo = (plain: Plain): Json => {
  if (isObject(plain["structValue"])) return structTo(plain["structValue"]);
  if (isObject(plain["listValue"])) return listTo(plain["listValue"]);
  for (const key of ["stringValue", "numberValue", "boolValue"])
    if (plain[key] != null) return plain[key] as Json;
  return null;
};
const structTo = (plain: Plain): Json =>
  Object.fromEntries(
    Object.entries((plain["fields"] ?? {}) as Plain).map(([key, item]) => [key, valueTo(item as Plain)]),
  );
const listTo = (plain: Plain): Json => ((plain["values"] ?? []) as Plain[]).map(valueTo);

const WELL_KNOWN: Readonly<Record<string, WellKnown>> = {
  ".google.protobuf.DoubleValue": wrapper("double"),
  ".google.protobuf.FloatValue": wrapper("float"),
  ".google.protobuf.Int64Value": wrapper("int64"),
  ".google.protobuf.UInt64Value": wrapper("uint64"),
  ".google.protobuf.Int32Value": wrapper("int32"),
  ".google.protobuf.UInt32Value": wrapper("uint32"),
  ".google.protobuf.BoolValue": wrapper("bool"),
  ".google.protobuf.StringValue": wrapper("string"),
  ".google.protobuf.BytesValue": wrapper("bytes"),
  ".google.protobuf.Value": { from: valueFrom, to: valueTo },
  ".google.protobuf.ListValue": {
    from: (value, path) => {
      if (!Array.isArray(value)) throw wrong(path, "must be a list");
      return { values: value.map(valueFrom) };
    },
    to: listTo,
  },
  ".google.protobuf.Struct": {
    from: (value, path) => {
      if (!isObject(value)) throw wrong(path, "must be an object");
      return structFrom(value as JsonObject);
    },
    to: structTo,
  },
  ".google.protobuf.Timestamp": {
    from: (value, path) => {
      const match = /^(.+:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i.exec(String(value));
      const ms = match === null ? Number.NaN : Date.parse(match[1]! + match[3]!);
      if (Number.isNaN(ms)) throw wrong(path, "must be an RFC 3339 time");
      return {
        seconds: Long.fromNumber(ms / 1000),
        nanos: Number((match![2] ?? "").padEnd(9, "0")),
      };
    },
    to: ({ seconds, nanos }) => {
      const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
      return `${text}${fraction(Number(nanos))}Z`;
    },
  },
  ".google.protobuf.Duration": {
    from: (value, path) => {
      const match = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(String(value));
      if (match === null) throw wrong(path, 'must be a duration such as "1.5s"');
      const sign = match[1] === "-" ? -1 : 1;
      return {
        seconds: Long.fromNumber(sign * Number(match[2])),
        nanos: sign * Number((match[3] ?? "").padEnd(9, "0")),
      };
    },
    to: ({ seconds, nanos }) => {
      const isNegative = Number(seconds) < 0 || Number(nanos) < 0;
      return `${isNegative ? "-" : ""}${Math.abs(Number(seconds))}${fraction(Math.abs(Number(nanos)))}s`;
    },
  },
  ".google.protobuf.FieldMask": {
    from: (value) => ({ paths: String(value).split(",").filter(Boolean) }),
    to: ({ paths }) => ((paths ?? []) as string[]).join(","),
  },
};

/** None, 3, 6 or 9 digits, as ProtoJSON writes them. */
function fraction(nanos: number): string {
  if (!nanos) return "";
  const digits = String(nanos).padStart(9, "0");
  return `.${digits.replace(/(?:000){1,2}$/, "")}`;
}
