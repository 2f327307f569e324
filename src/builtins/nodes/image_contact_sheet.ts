import { crc32, deflateSync, inflateSync } from "node:zlib";
import { type AssetMeta, type CodeContext, node } from "../preload/lightflow.ts";

export const META = {
  id: "image.contact_sheet",
  title: "Image Contact Sheet",
  kind: "node",
  description: "Lays many images out on one sheet, in rows, each in a cell of its own.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("images", { type: "artifact", list: true, required: true })
    .input("columns", { type: "integer", minimum: 1, maximum: 32, default: 4 })
    .input("cell", {
      type: "integer",
      minimum: 16,
      maximum: 1024,
      default: 192,
      description: "Side of a cell in pixels",
    })
    .input("gap", { type: "integer", minimum: 0, maximum: 256, default: 8 })
    .output("image", { type: "artifact", required: true })
    .output("width", { type: "integer", required: true })
    .output("height", { type: "integer", required: true })
    .output("format", { type: "string", required: true })
    .code();
}

interface Input {
  readonly images: readonly string[];
  readonly columns: number;
  readonly cell: number;
  readonly gap: number;
}

/** Pixels of one image: four bytes each, rows from the top. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
/** Bytes of one pixel by the colour type of a PNG of eight bits without a palette. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/** The pixels of a PNG as the encoder of this runtime writes it: eight bits, not interlaced, no palette. */
function decodePng(bytes: Uint8Array): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const channels = CHANNELS[bytes[25] ?? -1];
  if (bytes[24] !== 8 || bytes[28] !== 0 || channels === undefined) throw new Error("an odd PNG");
  const parts: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (String.fromCharCode(...bytes.subarray(at + 4, at + 8)) === "IDAT") {
      parts.push(bytes.subarray(at + 8, at + 8 + length));
    }
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : rows[y * stride + x - channels]!;
      const up = y === 0 ? 0 : rows[(y - 1) * stride + x]!;
      const corner = x < channels || y === 0 ? 0 : rows[(y - 1) * stride + x - channels]!;
      const added = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      rows[y * stride + x] = raw[y * (stride + 1) + 1 + x]! + added;
    }
  }
  const data = new Uint8Array(width * height * 4);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * channels;
    const grey = channels < 3;
    for (let c = 0; c < 3; c++) data[pixel * 4 + c] = rows[from + (grey ? 0 : c)]!;
    data[pixel * 4 + 3] = channels === 2 || channels === 4 ? rows[from + channels - 1]! : 255;
  }
  return { width, height, data };
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function encodePng({ width, height, data }: Pixels): Uint8Array {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, 6);
  const raw = new Uint8Array((width * 4 + 1) * height);
  for (let y = 0; y < height; y++) {
    raw.set(data.subarray(y * width * 4, (y + 1) * width * 4), y * (width * 4 + 1) + 1);
  }
  const chunk = (name: string, body: Uint8Array): Uint8Array => {
    const typed = Buffer.concat([Buffer.from(name), body]);
    const frame = new DataView(new ArrayBuffer(8));
    frame.setUint32(0, body.length);
    frame.setUint32(4, crc32(typed));
    const bytes = new Uint8Array(frame.buffer);
    return Buffer.concat([bytes.subarray(0, 4), typed, bytes.subarray(4)]);
  };
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", deflateSync(raw)),
    chunk("IEND", new Uint8Array()),
  ]);
}

export async function run(input: Input, ctx: CodeContext) {
  const { images, cell, gap } = input;
  if (images.length === 0) throw new Error("there is no image to lay out");
  const columns = Math.min(input.columns, images.length);
  const rows = Math.ceil(images.length / columns);
  const width = columns * (cell + gap) + gap;
  const height = rows * (cell + gap) + gap;
  const sheet = new Uint8Array(width * height * 4).fill(255);
  for (const [index, artifact] of images.entries()) {
    const image = new Bun.Image(await Bun.file(ctx.file(artifact)).bytes());
    const size = await image.metadata();
    const scale = Math.min(1, cell / Math.max(size.width, size.height));
    const side = (length: number) => Math.max(1, Math.round(length * scale));
    const small = decodePng(await image.resize(side(size.width), side(size.height)).png().bytes());
    // In the middle of its cell.
    const left = gap + (index % columns) * (cell + gap) + ((cell - small.width) >> 1);
    const top = gap + Math.floor(index / columns) * (cell + gap) + ((cell - small.height) >> 1);
    for (let y = 0; y < small.height; y++) {
      const row = small.data.subarray(y * small.width * 4, (y + 1) * small.width * 4);
      sheet.set(row, ((top + y) * width + left) * 4);
    }
  }
  const bytes = encodePng({ width, height, data: sheet });
  return { image: await ctx.keep("contact-sheet.png", bytes), width, height, format: "png" };
}
