import { crc32, deflateSync } from "node:zlib";
import { type AssetMeta, type CodeContext, node } from "../preload/lightflow.ts";

export const META = {
  id: "node.gradient",
  title: "Gradient",
  kind: "node",
  description: "Draws a gradient between two colours that a seed chooses: an image out of nothing.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("seed", { type: "integer", required: true, minimum: 0 })
    .input("size", { type: "integer", minimum: 1, maximum: 1024, default: 128 })
    .output("image", { type: "artifact", required: true })
    .output("from", { type: "string", description: "The first colour", required: true })
    .code();
}

interface Input {
  readonly seed: number;
  readonly size: number;
}

export async function run({ seed, size }: Input, ctx: CodeContext) {
  // The same seed gives the same colours, and so the same bytes.
  const colour = (salt: number) => [0, 8, 16].map((shift) => (crc32(`${seed}/${salt}`) >>> shift) & 255);
  const [from, to] = [colour(1), colour(2)];
  const raw = new Uint8Array((size * 3 + 1) * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const part = (x + y) / (2 * size);
      const at = y * (size * 3 + 1) + 1 + x * 3;
      for (let c = 0; c < 3; c++) raw[at + c] = Math.round(from![c]! * (1 - part) + to![c]! * part);
    }
  }
  const image = await ctx.keep(`gradient-${seed}.png`, png(size, raw));
  return { image, from: `#${from!.map((part) => part.toString(16).padStart(2, "0")).join("")}` };
}

function png(size: number, raw: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, size);
  header.setUint32(4, size);
  header.setUint8(8, 8);
  header.setUint8(9, 2);
  const chunk = (name: string, body: Uint8Array) => {
    const typed = Buffer.concat([Buffer.from(name), body]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(body.length, 0);
    frame.writeUInt32BE(crc32(typed), 4);
    return Buffer.concat([frame.subarray(0, 4), typed, frame.subarray(4)]);
  };
  const start = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const head = chunk("IHDR", new Uint8Array(header.buffer));
  return Buffer.concat([start, head, chunk("IDAT", deflateSync(raw)), chunk("IEND", new Uint8Array())]);
}
