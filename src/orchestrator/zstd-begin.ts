import { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";

/**
 * The first `limit` bytes of what a Zstandard frame holds, as text; however much more it would give is never made. What
 * is no such frame gives what could be read of it.
 */
export async function zstdBegin(stream: ReadableStream<Uint8Array>, limit: number): Promise<string> {
  const source = Readable.fromWeb(stream as never);
  const decoder = source.pipe(createZstdDecompress());
  const decode = new TextDecoder();
  let text = "";
  let left = limit;
  try {
    for await (const part of decoder as AsyncIterable<Uint8Array>) {
      text += decode.decode(part.subarray(0, left), { stream: true });
      left -= part.length;
      if (left <= 0) break;
    }
  } catch {
    // Damaged: its beginning is all there is.
  } finally {
    source.destroy();
    decoder.destroy();
  }
  return text;
}
