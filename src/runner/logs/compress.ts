import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";

/**
 * A whole log as one Zstandard frame beside it. The same log gives the same bytes, so a repeat after a crash has the same
 * digest.
 * @param size bytes of the log that count
 */
export async function compressLog(log: string, target: string, size: number): Promise<void> {
  await pipeline(
    createReadStream(log, { start: 0, end: size - 1 }),
    createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    createWriteStream(target, { mode: 0o600 }),
  );
}
