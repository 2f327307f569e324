import { Type } from "@sinclair/typebox";
import { named, TaskReference } from "./build.ts";
import { AskTask } from "./tasks/ask.ts";
import { AssertTask } from "./tasks/assert.ts";
import { CallA2aTask, CallGrpcTask, CallHttpTask, CallMcpTask, CallOpenApiTask } from "./tasks/call.ts";
import { CallAsyncApiTask } from "./tasks/call-asyncapi.ts";
import {
  CallAgentServiceTask,
  CallAgentTask,
  CallCortexTask,
  CallFunctionTask,
  StrictCallFunctionTask,
} from "./tasks/call-dialect.ts";
import { DoTask } from "./tasks/do.ts";
import { EmitTask } from "./tasks/emit.ts";
import { ForTask } from "./tasks/for.ts";
import { ForkTask } from "./tasks/fork.ts";
import { GraphTask } from "./tasks/graph.ts";
import { ListenTask } from "./tasks/listen.ts";
import { MapTask } from "./tasks/map.ts";
import { RaiseTask } from "./tasks/raise.ts";
import { RunTask } from "./tasks/run.ts";
import { SetTask } from "./tasks/set.ts";
import { SwitchTask } from "./tasks/switch.ts";
import { TryTask } from "./tasks/try.ts";
import { WaitTask } from "./tasks/wait.ts";

/** Every call task under the value of `call`; `function` is any other value. */
export interface CallByKind {
  http: CallHttpTask;
  openapi: CallOpenApiTask;
  grpc: CallGrpcTask;
  asyncapi: CallAsyncApiTask;
  a2a: CallA2aTask;
  mcp: CallMcpTask;
  agent: CallAgentTask;
  "agent-service": CallAgentServiceTask;
  cortex: CallCortexTask;
  function: CallFunctionTask;
}
export type CallKind = keyof CallByKind;
export type CallTask = CallByKind[CallKind];

/** Every task under the key that tells it apart. */
export interface TaskByKind {
  call: CallTask;
  do: DoTask;
  emit: EmitTask;
  for: ForTask;
  fork: ForkTask;
  listen: ListenTask;
  raise: RaiseTask;
  run: RunTask;
  set: SetTask;
  switch: SwitchTask;
  try: TryTask;
  wait: WaitTask;
  ask: AskTask;
  assert: AssertTask;
  graph: GraphTask;
  map: MapTask;
}
export type TaskKind = keyof TaskByKind;
export type Task = TaskByKind[TaskKind];

/** One entry of a task list: exactly one name. */
export interface TaskItem {
  [name: string]: Task;
}
export type TaskList = TaskItem[];

/** `strict`: the specification alone. `light`: with `ask`, `assert`, `graph`, `map` and the dialect's calls. */
export type Mode = "strict" | "light";

const PROTOCOL_CALL_SCHEMAS = {
  http: CallHttpTask,
  openapi: CallOpenApiTask,
  grpc: CallGrpcTask,
  asyncapi: CallAsyncApiTask,
  a2a: CallA2aTask,
  mcp: CallMcpTask,
};

/** Each call's schema by the value of `call`; `function` is any other value. */
export const CALL_SCHEMAS = {
  strict: { ...PROTOCOL_CALL_SCHEMAS, function: StrictCallFunctionTask },
  light: {
    ...PROTOCOL_CALL_SCHEMAS,
    agent: CallAgentTask,
    "agent-service": CallAgentServiceTask,
    cortex: CallCortexTask,
    function: CallFunctionTask,
  },
} as const;

/** `for` stands before `do`, because a `for` task has a `do` too; so does `map`. */
const SPECIFICATION_TASKS = {
  for: ForTask,
  do: DoTask,
  set: SetTask,
  switch: SwitchTask,
  run: RunTask,
  try: TryTask,
  fork: ForkTask,
  wait: WaitTask,
  emit: EmitTask,
  listen: ListenTask,
  raise: RaiseTask,
};

/** The schema of each kind but `call`, by the key that tells it apart, in the order in which to look. */
export const TASK_SCHEMAS = {
  strict: SPECIFICATION_TASKS,
  light: { map: MapTask, ...SPECIFICATION_TASKS, assert: AssertTask, ask: AskTask, graph: GraphTask },
} as const;

const taskOf = (mode: Mode) =>
  Type.Union([...Object.values(TASK_SCHEMAS[mode]), ...Object.values(CALL_SCHEMAS[mode])], { $id: "Task" });

const TaskListSchema = Type.Array(named(TaskReference), { $id: "TaskList" });

/** What the two references of the schema point at, by mode. */
export const TASK_DEFINITIONS = {
  strict: { Task: taskOf("strict"), TaskList: TaskListSchema },
  light: { Task: taskOf("light"), TaskList: TaskListSchema },
} as const;
