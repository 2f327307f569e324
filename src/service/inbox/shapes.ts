import { AnyObject, closed, named, nullable, oneOf, Text, Time } from "../shapes.ts";

/** What is said of an operator task, in a list and alone. */
export const TASK = {
  id: Text,
  kind: Text,
  subject: Text,
  instance_id: nullable(Text),
  body: AnyObject,
  state: oneOf("open", "resolved"),
  resolution: nullable(Text),
  created_at: Time,
} as const;

export const Task = named("OperatorTask", closed(TASK));
