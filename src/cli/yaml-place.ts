import { isMap, isScalar, isSeq } from "yaml";

/** Where the key (or else the value) at a path stands in the text of a parsed YAML document. */
export function offsetOf(root: unknown, keys: readonly string[]): number {
  let node = root;
  let offset = 0;
  for (const key of keys) {
    if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = (node as { range?: number[] } | undefined)?.range?.[0] ?? offset;
      continue;
    }
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    if (pair === undefined) break;
    offset = (isScalar(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
    node = pair.value;
  }
  return offset;
}
