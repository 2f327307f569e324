/** What kind of content a media type names; parameters are ignored. */
export type MediaKind = "json" | "form" | "text" | "binary";

export function mediaKind(contentType: string): MediaKind {
  const type = contentType.split(";")[0]!.trim().toLowerCase();
  if (/^(?:application|text)\/(?:[\w.+-]+\+)?json$/.test(type)) return "json";
  if (type === "application/x-www-form-urlencoded") return "form";
  if (
    type.startsWith("text/") ||
    /^[\w.+-]+\/(?:[\w.+-]+\+)?(?:xml|yaml)$/.test(type) ||
    /^application\/(?:x-yaml|javascript|ecmascript|graphql|sql|jwt|x-ndjson|jsonl|json-seq)$/.test(type)
  )
    return "text";
  return "binary";
}

/** The name behind `charset=`, or UTF-8. */
export function charsetOf(contentType: string): string {
  return /;\s*charset="?([^\s;"]+)/i.exec(contentType)?.[1] ?? "utf-8";
}
