import type { Definition, Node } from "../syntax/ast.ts";
import { parse } from "../syntax/parser.ts";

/** Functions written in jq. Each is compiled where it is called, with its arguments in place. */
const SOURCE = `
def map(f): [.[] | f];
def select(f): if f then . else empty end;
def map_values(f): .[] |= f;
def with_entries(f): to_entries | map(f) | from_entries;
def leaf_paths: paths(type != "array" and type != "object");
def values: if . != null then . else empty end;
def nulls: if . == null then . else empty end;
def booleans: if type == "boolean" then . else empty end;
def numbers: if type == "number" then . else empty end;
def strings: if type == "string" then . else empty end;
def arrays: if type == "array" then . else empty end;
def objects: if type == "object" then . else empty end;
def iterables: if type == "array" or type == "object" then . else empty end;
def scalars: if type == "array" or type == "object" then empty else . end;
def finites: if isfinite then . else empty end;
def normals: if isnormal then . else empty end;
def isvalid(f): try (f | true) catch false;
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def combinations:
  def rest: if length == 0 then [] else .[0][] as $head | (.[1:] | rest) as $tail | [$head] + $tail end;
  rest;
def combinations(n): . as $all | [range(n) | $all] | combinations;
def walk(f):
  def deep: (if type == "object" then map_values(deep) elif type == "array" then map(deep) else . end) | f;
  deep;
def truncate_stream(stream): . as $depth | null | stream | . as $event
  | if (.[0] | length) > $depth then [$event[0][$depth:]] + $event[1:] else empty end;
def fromstream(events): {value: null, done: false} as $start
  | foreach events as $event ($start;
      (if .done then $start else . end)
      | if ($event | length) == 2
        then setpath(["done"]; ($event[0] | length) == 0) | setpath(["value"] + $event[0]; $event[1])
        else setpath(["done"]; ($event[0] | length) == 1) end;
      if .done then .value else empty end);
def INDEX(key): INDEX(.[]; key);
def IN(candidates): . as $value | any(candidates; . == $value);
def IN(source; candidates): any(source; IN(candidates));
def JOIN($index; key): [.[] | [., $index[key]]];
def JOIN($index; rows; key): rows | [., $index[key]];
def JOIN($index; rows; key; join): rows | [., $index[key]] | join;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdate: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def date: strftime("%Y-%m-%dT%H:%M:%SZ");
def dateadd(unit; $seconds): . + $seconds;
def datesub(unit; $seconds): . - $seconds;
`;

let definitions: Map<string, Definition> | null = null;

function load(): Map<string, Definition> {
  const found = new Map<string, Definition>();
  let node: Node = parse(`${SOURCE} .`);
  while (node.kind === "define") {
    found.set(`${node.definition.name}/${node.definition.parameters.length}`, node.definition);
    node = node.body;
  }
  return found;
}

/** The definition of `name/arity`, read on first use. */
export function preludeDefinition(key: string): Definition | null {
  definitions ??= load();
  return definitions.get(key) ?? null;
}

export function preludeNames(): string[] {
  definitions ??= load();
  return [...definitions.keys()];
}
