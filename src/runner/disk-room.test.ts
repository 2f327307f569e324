import { expect, test } from "bun:test";
import { FEW_FILES, lackOf, roomOf } from "./disk-room.ts";

test("a disk takes no new work before what runs on it is in want: neither of space nor of files", () => {
  const enough = { bytes: 2_000, files: Number.POSITIVE_INFINITY };
  expect(lackOf(enough, 2_000)).toBeNull();
  expect(lackOf({ ...enough, bytes: 1_999 }, 2_000)).toBe("space");
  expect(lackOf({ ...enough, files: 2 * FEW_FILES }, 2_000)).toBeNull();
  expect(lackOf({ ...enough, files: 2 * FEW_FILES - 1 }, 2_000)).toBe("files");
  expect(roomOf("/").bytes).toBeGreaterThan(0);
  expect(() => roomOf("/no/such/place")).toThrow("ENOENT");
});
