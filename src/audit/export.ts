import { Type } from "@sinclair/typebox";
import { fail } from "../base/errors.ts";
import { Count, closed } from "../protocol/common.ts";
import { validate } from "../protocol/validate.ts";
import { type ChainEnd, type ChainRow, follow } from "./chain.ts";

const FORMAT = "lightflow-audit-1";

const Header = closed({
  format: Type.Literal(FORMAT),
  tenant: Type.String({ maxLength: 128 }),
  /** The end of what came before: number 0 and no hash for a whole chain. */
  after: closed({ seq: Count, hash: Type.String({ maxLength: 64 }) }),
});
const Row = closed({
  seq: Count,
  ts: Count,
  actor: Type.String(),
  action: Type.String(),
  object: Type.String(),
  body: Type.String(),
  previous_hash: Type.String(),
  hash: Type.String(),
});
const Footer = closed({ end: closed({ seq: Count, hash: Type.String() }) });

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;

/** A part of a chain as JSON lines: a header, one line an entry, and its end, by which a cut-off file is known. */
export async function* exportLines(
  tenant: string,
  after: ChainEnd,
  pages: AsyncIterable<readonly ChainRow[]>,
): AsyncGenerator<string> {
  yield line({ format: FORMAT, tenant, after });
  let end = after;
  for await (const rows of pages) {
    for (const row of rows) {
      end = { seq: row.seq, hash: row.hash };
      yield line(row);
    }
  }
  yield line({ end });
}

export interface ExportReport {
  tenant: string;
  after: ChainEnd;
  end: ChainEnd;
  rows: number;
  brokenAt: number | null;
}

/** Check an export without any store. @throws Failure `invalid_request` when it is none, or was cut off */
export async function verifyExport(lines: AsyncIterable<string>): Promise<ExportReport> {
  let header: typeof Header.static | null = null;
  let end: ChainEnd = { seq: 0, hash: "" };
  let rows = 0;
  let brokenAt: number | null = null;
  let closedAt: ChainEnd | null = null;
  for await (const text of lines) {
    if (text === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw fail("invalid_request", "a line of the export is not JSON", { cause: error });
    }
    if (header === null) {
      header = validate(Header, value);
      end = header.after;
    } else if (closedAt !== null) throw fail("invalid_request", "something follows the end of the export");
    else if (typeof value === "object" && value !== null && "end" in value)
      closedAt = validate(Footer, value).end;
    else {
      const row = validate(Row, value);
      const next = follow(end, [row]);
      if (brokenAt === null) brokenAt = next.brokenAt;
      end = brokenAt === null ? next.end : { seq: row.seq, hash: row.hash };
      rows++;
    }
  }
  if (header === null || closedAt === null) {
    throw fail("invalid_request", "the export has no end", { hint: "export it again" });
  }
  if (brokenAt === null && (closedAt.seq !== end.seq || closedAt.hash !== end.hash)) brokenAt = end.seq + 1;
  return { tenant: header.tenant, after: header.after, end, rows, brokenAt };
}
