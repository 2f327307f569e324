import { Builder, ByteBuffer } from "flatbuffers";
import { fail } from "../base/errors.ts";

export const FRAME_IDENTIFIER = "LFRS";
export const FRAME_MEDIA_TYPE = "application/vnd.lightflow.runtime-frame+flatbuffers";

/** `Unknown` is there so that the default of the field is a member, without which the schema does not compile. */
export const FRAME_KIND = { Unknown: 0, RunSnapshot: 1, RunEvent: 2, RunTrace: 3, Preview: 4 } as const;
export type FrameKind = keyof typeof FRAME_KIND;

/** One frame, in the order of its slots (`schema.fbs`). */
export interface Frame {
  readonly kind: FrameKind;
  readonly runId: string;
  readonly status: string;
  /** The position in the run's events; 0 for what has none. */
  readonly sequence: number;
  readonly timestampMs: number;
  /** Compact JSON. */
  readonly payload: string;
  /** Of a preview. */
  readonly image?: {
    readonly stepId: string;
    readonly mediaType: string;
    readonly width: number;
    readonly height: number;
    readonly bytes: Uint8Array;
  };
}

const FIELDS = 12;

/** A frame as one finished buffer. Values that equal their default are absent, as the format has it. */
export function encodeFrame(frame: Frame): Uint8Array {
  const builder = new Builder(256 + frame.payload.length + (frame.image?.bytes.length ?? 0));
  const text = (value: string) => builder.createString(value);
  const runId = text(frame.runId);
  const status = text(frame.status);
  const payload = text(frame.payload);
  const { image } = frame;
  const stepId = image === undefined ? 0 : text(image.stepId);
  const mediaType = image === undefined ? 0 : text(image.mediaType);
  const bytes = image === undefined ? 0 : builder.createByteVector(image.bytes);
  builder.startObject(FIELDS);
  builder.addFieldInt16(0, 1, 1);
  builder.addFieldInt8(1, FRAME_KIND[frame.kind], 0);
  builder.addFieldOffset(2, runId, 0);
  builder.addFieldOffset(3, status, 0);
  builder.addFieldInt64(4, BigInt(frame.sequence), 0n);
  builder.addFieldInt64(5, BigInt(frame.timestampMs), 0n);
  builder.addFieldOffset(6, payload, 0);
  builder.addFieldOffset(7, stepId, 0);
  builder.addFieldOffset(8, mediaType, 0);
  builder.addFieldInt16(9, image?.width ?? 0, 0);
  builder.addFieldInt16(10, image?.height ?? 0, 0);
  builder.addFieldOffset(11, bytes, 0);
  builder.finish(builder.endObject(), FRAME_IDENTIFIER);
  return builder.asUint8Array();
}

/** Read a frame; members that this version does not know are left out. @throws Failure `invalid_request` */
export function decodeFrame(data: Uint8Array): Frame {
  const buffer = new ByteBuffer(data);
  if (data.length < 12 || !buffer.__has_identifier(FRAME_IDENTIFIER)) {
    throw fail("invalid_request", `this is no ${FRAME_IDENTIFIER} frame`);
  }
  const table = buffer.readInt32(buffer.position()) + buffer.position();
  const vtable = table - buffer.readInt32(table);
  const size = buffer.readInt16(vtable);
  const slot = (number: number): number => {
    const at = 4 + number * 2;
    const offset = at < size ? buffer.readInt16(vtable + at) : 0;
    return offset === 0 ? 0 : table + offset;
  };
  const text = (number: number): string => {
    const at = slot(number);
    return at === 0 ? "" : (buffer.__string(at) as string);
  };
  const number = (at: number, read: (at: number) => number | bigint): number =>
    at === 0 ? 0 : Number(read(at));
  const kind = number(slot(1), (at) => buffer.readUint8(at));
  const names = Object.keys(FRAME_KIND) as FrameKind[];
  const bytes = slot(11);
  return {
    kind: names[kind] ?? "Unknown",
    runId: text(2),
    status: text(3),
    sequence: number(slot(4), (at) => buffer.readUint64(at)),
    timestampMs: number(slot(5), (at) => buffer.readUint64(at)),
    payload: text(6),
    ...(bytes === 0
      ? {}
      : {
          image: {
            stepId: text(7),
            mediaType: text(8),
            width: number(slot(9), (at) => buffer.readUint16(at)),
            height: number(slot(10), (at) => buffer.readUint16(at)),
            bytes: data.slice(buffer.__vector(bytes), buffer.__vector(bytes) + buffer.__vector_len(bytes)),
          },
        }),
  };
}
