/** One line of a page is at most this long. */
const LINE = 4_096;

/** What happens in a page, as a line of the task's log. What a page says cannot begin a line of its own. */
export function logLine(kind: string, text: string): void {
  process.stdout.write(`[page ${kind}] ${text.replaceAll(/[\r\n]+/g, " ⏎ ").slice(0, LINE)}\n`);
}

/** @param given plain values, or the protocol's descriptions of objects */
export function logConsole(type: string, given: readonly unknown[]): void {
  logLine(type, given.map(shown).join(" "));
}

interface Described {
  readonly description?: string;
  readonly preview?: { readonly properties?: readonly { readonly name: string; readonly value?: string }[] };
}

function shown(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const { description, preview } = value as Described;
  const properties = preview?.properties;
  if (properties === undefined || properties.length === 0) return description ?? "object";
  return `${description} {${properties.map(({ name, value: held }) => `${name}: ${held}`).join(", ")}}`;
}
