import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddedResponse, embeddedText } from "./embedded.ts";

const directory = mkdtempSync(join(tmpdir(), "lightflow-embedded-"));
const plain = join(directory, "plain.css");
const packed = join(directory, "packed.css");
const text = "a { color: red }\n".repeat(100);
writeFileSync(plain, text);
writeFileSync(packed, Bun.gzipSync(text));
afterAll(() => rmSync(directory, { recursive: true }));

const ask = (path: string, accept?: string) =>
  embeddedResponse(
    path,
    new Request("http://x/", { headers: accept === undefined ? {} : { "accept-encoding": accept } }),
    {
      "content-type": "text/css",
    },
  );

test("a compressed file goes out as it stands to who takes gzip, and unpacked to everyone else", async () => {
  for (const accept of ["gzip", "br, gzip;q=0.5", "GZIP , deflate", "*", "gzip;q=0.001"]) {
    const answer = await ask(packed, accept);
    expect([accept, answer.headers.get("content-encoding")]).toEqual([accept, "gzip"]);
    expect(answer.headers.get("vary")).toBe("accept-encoding");
    expect(new TextDecoder().decode(Bun.gunzipSync(await answer.arrayBuffer()))).toBe(text);
  }
  for (const accept of [undefined, "", "br", "identity", "gzip;q=0", "gzip; q=0.00 , br", "xgzip"]) {
    const answer = await ask(packed, accept);
    expect([accept, answer.headers.get("content-encoding")]).toEqual([accept, null]);
    expect(await answer.text()).toBe(text);
  }
});

test("a file that no build compressed is the same answer", async () => {
  const answer = await ask(plain, "gzip");
  expect(answer.headers.get("content-encoding")).toBeNull();
  expect(answer.headers.get("content-type")).toBe("text/css");
  expect(await answer.text()).toBe(text);
  expect(await embeddedText(plain)).toBe(text);
  expect(await embeddedText(packed)).toBe(text);
});
