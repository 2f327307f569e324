import { expect, test } from "bun:test";
import { CHAIN_START, type ChainRow, exportLines, follow, hashOf, verifyExport } from "./index.ts";

function chain(count: number): ChainRow[] {
  const rows: ChainRow[] = [];
  for (let seq = 1; seq <= count; seq++) {
    const row = {
      seq,
      ts: seq,
      actor: "a",
      action: "x.y",
      object: "o",
      body: "{}",
      previous_hash: rows.at(-1)?.hash ?? "",
    };
    rows.push({ ...row, hash: hashOf(row) });
  }
  return rows;
}

async function* lines(texts: readonly string[]) {
  yield* texts;
}

async function exported(rows: readonly ChainRow[], after = CHAIN_START): Promise<string[]> {
  async function* pages() {
    yield rows.slice(0, 2);
    yield rows.slice(2);
  }
  const texts: string[] = [];
  for await (const line of exportLines("t", after, pages())) texts.push(line.trimEnd());
  return texts;
}

test("a chain is followed in parts, and the first wrong entry is named", () => {
  const rows = chain(4);
  const half = follow(CHAIN_START, rows.slice(0, 2));
  expect(follow(half.end, rows.slice(2))).toEqual({ end: { seq: 4, hash: rows[3]!.hash }, brokenAt: null });
  expect(follow(CHAIN_START, [rows[0]!, rows[2]!]).brokenAt).toBe(2);
  expect(follow(CHAIN_START, [rows[1]!, rows[0]!]).brokenAt).toBe(1);
  expect(follow(CHAIN_START, [rows[0]!, { ...rows[1]!, body: '{"n":1}' }]).brokenAt).toBe(2);
});

test("an export verifies by itself; a changed line, a lacking one and a cut-off file are found", async () => {
  const texts = await exported(chain(4));
  expect(await verifyExport(lines(texts))).toMatchObject({ tenant: "t", rows: 4, brokenAt: null });
  const without = (index: number) => texts.filter((_, at) => at !== index);
  expect((await verifyExport(lines(without(2)))).brokenAt).toBe(2);
  expect((await verifyExport(lines(without(4)))).brokenAt).toBe(4);
  const changed = texts.map((text, at) => (at === 3 ? text.replace('"actor":"a"', '"actor":"b"') : text));
  expect((await verifyExport(lines(changed))).brokenAt).toBe(3);
  await expect(verifyExport(lines(without(5)))).rejects.toThrow("no end");
  await expect(verifyExport(lines(["{}"]))).rejects.toMatchObject({ code: "invalid_request" });
});

test("a part of a chain names what it follows", async () => {
  const rows = chain(4);
  const after = { seq: 2, hash: rows[1]!.hash };
  expect(await verifyExport(lines(await exported(rows.slice(2), after)))).toMatchObject({
    rows: 2,
    brokenAt: null,
  });
  const wrong = await exported(rows.slice(2), { seq: 2, hash: "0" });
  expect((await verifyExport(lines(wrong))).brokenAt).toBe(3);
});
