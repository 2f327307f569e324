import { Composer, CST, isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode, Parser } from "yaml";
import type { Json, JsonObject } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { joinPointer, pointerTokens } from "../base/pointer.ts";
import type { Diagnostic, DiagnosticCode, Position, Positions } from "./diagnostic.ts";
import type { LoadedValue } from "./load-json.ts";

/** Aliases save typing in a document of this size; more of them is a bomb, not a convenience. */
const MAXIMUM_ALIASES = 100;
/** Values, and characters in them, once aliases are expanded. Without aliases no text within the byte limit has more. */
const MAXIMUM_EXPANDED = LIMITS.documentBytes;

class Refusal extends Error {
  constructor(
    readonly code: DiagnosticCode,
    message: string,
    readonly pointer: string,
    readonly offset: number,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/**
 * A YAML 1.2 text (core schema) as a JSON value, or what is wrong with it. The digest of a document must not depend
 * on the reader, so whatever readers disagree about is refused: duplicate keys, merge keys, keys that are not text,
 * tags, several documents, YAML 1.1, numbers that JSON cannot hold.
 */
export function loadYaml(text: string): LoadedValue | Diagnostic[] {
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  try {
    checkDepth(tokens);
    // Duplicate keys are looked for below: the composer compares each key with all before it.
    const documents = [
      ...new Composer({ version: "1.2", schema: "core", merge: false, uniqueKeys: false }).compose(
        tokens,
        true,
        text.length,
      ),
    ];
    const errors = documents.flatMap((document) => document.errors);
    if (errors.length > 0)
      return errors.slice(0, 5).map((error) => ({
        code: "syntax",
        severity: "error",
        pointer: "",
        message: error.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, ""),
        ...place(error.pos[0]),
      }));
    if (documents.length !== 1)
      throw new Refusal("syntax", "the text holds several YAML documents", "", documents[1]?.range[0] ?? 0);
    const document = documents[0]!;
    if (document.directives.yaml.explicit && document.directives.yaml.version !== "1.2")
      throw new Refusal("syntax", "only YAML 1.2 is read", "", 0);
    if (document.contents === null) throw new Refusal("syntax", "the text is empty", "", 0);
    const root = document.contents as ParsedNode;
    return { value: toJson(root), positions: yamlPositions(root, place) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, pointer, offset, hint } = error;
    return [
      {
        code,
        severity: "error",
        pointer,
        message,
        ...place(offset),
        ...(hint === undefined ? {} : { hint }),
      },
    ];
  }
}

/** Walks the tokens with a stack of its own, because what comes after recurses. */
function checkDepth(tokens: readonly CST.Token[]): void {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { token, depth } = entry;
    if (depth > LIMITS.documentDepth)
      throw new Refusal("too_deep", `more than ${LIMITS.documentDepth} levels`, "", token.offset);
    if (token.type === "document" && token.value) open.push({ token: token.value, depth });
    if (CST.isCollection(token))
      for (const item of token.items) {
        if (item.key) open.push({ token: item.key, depth: depth + 1 });
        if (item.value) open.push({ token: item.value, depth: depth + 1 });
      }
  }
}

/** The tags that the core schema resolves by itself; writing them out changes nothing that readers disagree about. */
const CORE_TAGS = new Set([
  "!",
  ...["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`),
]);

function toJson(root: ParsedNode): Json {
  const anchors = new Map<string, ParsedNode>();
  const expanding = new Set<ParsedNode>();
  let aliases = 0;
  let values = 0;
  let characters = 0;

  const convert = (node: ParsedNode | null, pointer: string, depth: number): Json => {
    if (node === null) return null;
    const offset = node.range[0];
    if (++values > MAXIMUM_EXPANDED || characters > MAXIMUM_EXPANDED)
      throw new Refusal("too_large", "too large with its aliases expanded", pointer, offset);
    if (depth > LIMITS.documentDepth)
      throw new Refusal("too_deep", `more than ${LIMITS.documentDepth} levels`, pointer, offset);
    if (isAlias(node)) {
      if (++aliases > MAXIMUM_ALIASES)
        throw new Refusal("too_large", `more than ${MAXIMUM_ALIASES} aliases`, pointer, offset);
      const target = anchors.get(node.source);
      if (target === undefined)
        throw new Refusal("syntax", `the alias *${node.source} has no anchor before it`, pointer, offset);
      if (expanding.has(target))
        throw new Refusal(
          "syntax",
          `the alias *${node.source} stands inside its own anchor`,
          pointer,
          offset,
        );
      return convert(target, pointer, depth);
    }
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (node.tag !== undefined && !CORE_TAGS.has(node.tag))
      throw new Refusal("not_json", `the tag ${node.tag} is not read`, pointer, offset);
    expanding.add(node);
    const result = isMap(node)
      ? map(node.items as readonly { key: ParsedNode; value: ParsedNode | null }[], pointer, depth)
      : isSeq(node)
        ? node.items.map((item, index) => convert(item as ParsedNode, joinPointer(pointer, index), depth + 1))
        : scalar(node, pointer);
    expanding.delete(node);
    return result;
  };

  const map = (
    items: readonly { key: ParsedNode; value: ParsedNode | null }[],
    pointer: string,
    depth: number,
  ): JsonObject => {
    const result: JsonObject = {};
    for (const { key, value } of items) {
      const offset = key?.range?.[0] ?? 0;
      if (!isScalar(key)) throw new Refusal("not_json", "a key must be plain text", pointer, offset);
      if (key.value === "<<" && key.type === "PLAIN")
        throw new Refusal("not_json", "merge keys are not read", pointer, offset, "write the keys out");
      if (typeof key.value !== "string")
        throw new Refusal(
          "not_json",
          `the key ${key.source ?? String(key.value)} is not text`,
          pointer,
          offset,
          `quote it: "${key.source ?? String(key.value)}"`,
        );
      const name = key.value;
      if (Object.hasOwn(result, name))
        throw new Refusal("duplicate_key", `duplicate key ${JSON.stringify(name)}`, pointer, offset);
      // `__proto__` as an assigned key would set the prototype.
      Object.defineProperty(result, name, {
        value: convert(value, joinPointer(pointer, name), depth + 1),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return result;
  };

  const scalar = (node: ParsedNode, pointer: string): Json => {
    const value: unknown = isScalar(node) ? node.value : undefined;
    const offset = node.range[0];
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") {
      characters += value.length;
      if (!value.isWellFormed()) throw new Refusal("not_json", "a lone surrogate", pointer, offset);
      return value;
    }
    if (typeof value === "number") {
      if (!Number.isFinite(value)) throw new Refusal("not_json", "a number must be finite", pointer, offset);
      if (Number.isInteger(value) && !Number.isSafeInteger(value))
        throw new Refusal("not_json", "an integer beyond 2^53−1", pointer, offset, "quote it");
      return value;
    }
    throw new Refusal("not_json", "the value is not JSON", pointer, offset);
  };

  return convert(root, "", 0);
}

/** Finds values by walking the parsed tree; a value that an alias brings in stands where the alias stands. */
function yamlPositions(root: ParsedNode, place: (offset: number) => Position): Positions {
  return (pointer, part = "value") => {
    let key = root.range[0];
    let node: ParsedNode | null = root;
    for (const name of pointerTokens(pointer)) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && item.key.value === name);
        if (pair === undefined) break;
        const pairKey = pair.key as ParsedNode;
        key = pairKey.range[0];
        node = pair.value as ParsedNode | null;
        // `key:` with nothing behind it has its value, null, at the end of the key.
        if (node === null) return place(key);
      } else if (isSeq(node)) {
        const item = node.items[Number(name)] as ParsedNode | undefined;
        if (item === undefined) break;
        key = item.range[0];
        node = item;
      } else break;
    }
    return place(part === "key" ? key : (node?.range[0] ?? key));
  };
}
