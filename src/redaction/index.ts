export { MINIMUM_SECRET_BYTES } from "./encodings.ts";
export { createRedaction, type Redaction } from "./redaction.ts";
