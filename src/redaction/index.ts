export { MINIMUM_SECRET_BYTES } from "./encodings.ts";
export { createRedaction, MASK, type Redaction, type StreamRedactor } from "./redaction.ts";
