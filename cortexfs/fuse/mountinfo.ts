import { readFileSync } from "node:fs";

export interface MountEntry {
  readonly at: string;
  readonly type: string;
  readonly source: string;
}

/** The kernel writes space, tab, newline and backslash in octal. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Parse proc_pid_mountinfo(5). */
function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const separator = fields.indexOf("-");
    if (separator < 5) continue;
    entries.push({
      at: unescapeOctal(fields[4]!),
      type: fields[separator + 1] ?? "",
      source: unescapeOctal(fields[separator + 2] ?? ""),
    });
  }
  return entries;
}

/** The FUSE mount that is topmost at exactly this absolute path; touches nothing but /proc. */
export function fuseMountAt(at: string): MountEntry | undefined {
  const here = parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).filter(
    (entry) => entry.at === at,
  );
  const top = here.at(-1);
  return top?.type.startsWith("fuse") ? top : undefined;
}
