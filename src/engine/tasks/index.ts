import { fault } from "../errors.ts";
import { askTask } from "./ask.ts";
import { assertTask } from "./assert.ts";
import { callTask } from "./call.ts";
import { doTask } from "./do.ts";
import { emitTask } from "./emit.ts";
import { forTask } from "./for.ts";
import { forkTask } from "./fork.ts";
import { graphTask } from "./graph.ts";
import type { TaskHandler } from "./handler.ts";
import { listenTask } from "./listen.ts";
import { mapTask } from "./map.ts";
import { raiseTask } from "./raise.ts";
import { runTask } from "./run.ts";
import { setTask } from "./set.ts";
import { switchTask } from "./switch.ts";
import { tryTask } from "./try.ts";
import { waitTask } from "./wait.ts";

const HANDLERS: Readonly<Record<string, TaskHandler>> = {
  do: doTask,
  set: setTask,
  switch: switchTask,
  assert: assertTask,
  run: runTask,
  raise: raiseTask,
  wait: waitTask,
  for: forTask,
  fork: forkTask,
  try: tryTask,
  call: callTask,
  emit: emitTask,
  graph: graphTask,
  map: mapTask,
  ask: askTask,
  listen: listenTask,
};

/** Kinds of tasks that this engine runs. */
export const SUPPORTED_TASKS: readonly string[] = Object.keys(HANDLERS);

export function handlerOf(kind: string): TaskHandler {
  const handler = HANDLERS[kind];
  if (handler === undefined)
    throw fault("configuration", `the task kind ${kind} is not supported by this build`);
  return handler;
}
