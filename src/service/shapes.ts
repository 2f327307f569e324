import { Type } from "@sinclair/typebox";

export { closed } from "../protocol/common.ts";

/** A run id is one path segment: letters, digits, `.`, `_`, `-`, not `.` or `..`, at most 128. */
export const RunId = Type.String({ pattern: "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,128}$" });
export const After = Type.Optional(Type.Integer({ minimum: 0 }));
export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }));
/** How long to wait for something new when there is nothing, in milliseconds. */
export const WaitMs = Type.Optional(Type.Integer({ minimum: 0, maximum: 25_000 }));
