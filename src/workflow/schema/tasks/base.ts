import { type Static, Type } from "@sinclair/typebox";
import { Condition, Export, FlowDirective, Input, Output, TimeoutOrName } from "../common.ts";
import { Metadata } from "../light-workflow.ts";

/** What every task may carry. Spread after a task's own keys, so that the check fails early on another kind. */
export const taskBase = {
  if: Type.Optional(Condition),
  input: Type.Optional(Input),
  output: Type.Optional(Output),
  export: Type.Optional(Export),
  timeout: Type.Optional(TimeoutOrName),
  then: Type.Optional(FlowDirective),
  metadata: Type.Optional(Metadata),
};

const TaskBase = Type.Object(taskBase);
export type TaskBase = Static<typeof TaskBase>;
