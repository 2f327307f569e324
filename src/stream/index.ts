import schema from "./schema.fbs" with { type: "text" };

export * from "./frame.ts";
/** The FlatBuffers schema of the frames. */
export const FRAME_SCHEMA: string = schema;
