/**
 * Tables whose rows a writer keeps in memory, by whatever they are asked for, and what a statement names that may change
 * them: what is kept of a lease says what its request says too.
 */
const NAMED_BY = {
  runner_session: /\brunner_session\b/i,
  lease: /\b(?:lease|request)\b/i,
  instance: /\binstance\b/i,
  requirement: /\brequirement\b/i,
  webhook: /\bwebhook\b/i,
  policy_revocation: /\bpolicy_revocation\b/i,
} as const;

export type KeptTable = keyof typeof NAMED_BY;
export type Kept = Readonly<Record<KeptTable, Map<string | number, unknown>>>;

const TABLES = Object.keys(NAMED_BY) as KeptTable[];

export const newKept = (): Kept =>
  Object.fromEntries(TABLES.map((table) => [table, new Map()])) as unknown as Kept;

export function forgetKept(kept: Kept): void {
  for (const table of TABLES) kept[table].clear();
}

/** Every statement of SQLite that changes rows says one of these. */
const CHANGES = /\b(?:INSERT|UPDATE|DELETE|REPLACE|DROP|ALTER)\b/i;

/**
 * The tables that a statement may change: all that it names, unless it is a plain look at something. Better one too many
 * than one too few. One that says `kept` in a comment changes no row that is kept, or whoever runs it keeps the new one.
 */
export function changedBy(sql: string): KeptTable[] {
  if (!CHANGES.test(sql) || sql.includes("/* kept */")) return [];
  return TABLES.filter((table) => NAMED_BY[table].test(sql));
}

/** Of a table, the newest. */
const ROWS = 4096;

export function keep(
  rows: Map<string | number, unknown>,
  key: string | number,
  row: unknown,
  most = ROWS,
): void {
  if (rows.size >= most) rows.delete(rows.keys().next().value!);
  rows.set(key, row);
}

/** What is kept under a key, or what `read` gives, kept from now on. A view keeps nothing. */
export function keptOr<Row>(
  rows: Map<string | number, unknown> | undefined,
  key: string | number,
  read: () => Row,
): Row {
  if (rows === undefined) return read();
  let row = rows.get(key) as Row | undefined;
  if (row === undefined) {
    row = read();
    keep(rows, key, row);
  }
  return row;
}
