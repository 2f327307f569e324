import { Type } from "@sinclair/typebox";
import { closed, named, Text } from "../shapes.ts";

/** What a task asks of a runner. */
export const Requirement = named(
  "Requirement",
  closed({
    runnerPool: Text,
    executionProfile: Text,
    capabilities: Type.Array(Text),
    sandboxMode: Text,
    runnerId: Type.Optional(Text),
    hostId: Type.Optional(Text),
  }),
);
/** A request, a lease, `RUN` or `RUN/STEP`. */
export const TaskName = Type.String({ minLength: 1, maxLength: 512, pattern: "^[A-Za-z0-9._/\\[\\]-]+$" });
