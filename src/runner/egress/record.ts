import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EgressRecord } from "../../protocol/index.ts";

/** At most this many destinations of one task are told apart. */
const DESTINATIONS = 256;

const fileOf = (directory: string): string => join(directory, "egress.jsonl");

/** One connection that a task asked for, added to its lease's own directory; a restart of the runner finds it there. */
export function recordEgress(directory: string, record: Omit<EgressRecord, "connections">): void {
  appendFileSync(fileOf(directory), `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** Every destination of the task, allowed or not, with how often it was asked for. */
export function readEgress(directory: string): EgressRecord[] {
  if (!existsSync(fileOf(directory))) return [];
  const found = new Map<string, EgressRecord>();
  for (const line of readFileSync(fileOf(directory), "utf8").split("\n")) {
    const record = parse(line);
    if (record === null) continue;
    const key = `${record.host} ${record.port} ${record.allowed}`;
    const known = found.get(key);
    if (known !== undefined) {
      known.connections++;
      known.sentBytes += record.sentBytes;
      known.receivedBytes += record.receivedBytes;
    } else if (found.size < DESTINATIONS) found.set(key, { ...record, connections: 1 });
  }
  return [...found.values()];
}

/** The last line may have been cut by a crash. */
function parse(line: string): Omit<EgressRecord, "connections"> | null {
  try {
    return JSON.parse(line) as Omit<EgressRecord, "connections">;
  } catch {
    return null;
  }
}
