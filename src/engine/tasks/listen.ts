import type { Json, JsonObject } from "../../base/json.ts";
import { evaluateAt, truthy } from "../data-flow.ts";
import type { Machine } from "../machine.ts";
import type { Frame, ListenFilter } from "../state.ts";
import { listenFilter, matchEvent } from "./event-filter.ts";
import type { TaskHandler } from "./handler.ts";
import { goOn, iterationContinues, type MessageLoop, type MessageMemory } from "./message-loop.ts";

interface Memory extends MessageMemory {
  /** What was consumed, as `read` gives it. */
  consumed: Json[];
  /** Filters of `all` that have their event, by position. */
  met: number[];
  /** Filters of an `until` strategy that have their event. */
  untilMet: number[];
  correlation: JsonObject;
}

/**
 * `listen`: consumes events that arrive after it began. `all` takes one event for each filter, `one` a single one, `any`
 * the first that fits one of its filters (no filter: every event) and with `until` all of them, until an expression over
 * what was consumed is true or a strategy of its own is met, whose events are not consumed. The output is the array of
 * what was consumed, or with `foreach` of what each iteration gave.
 */
export const listenTask: TaskHandler = {
  begin(machine, frame, node) {
    const to = strategyOf(node.task);
    const memory: Memory = {
      outputs: [],
      queue: [],
      consumed: [],
      met: [],
      untilMet: [],
      correlation: {},
      running: false,
      done: false,
    };
    frame.memory = memory as unknown as JsonObject;
    const filters = listenFilters(machine, frame, to);
    machine.await(frame, (id) => ({
      kind: "listen",
      id,
      step_id: frame.name,
      reference: machine.reference(frame),
      filters,
    }));
  },
  event(machine, frame, node, event) {
    const memory = memoryOf(frame);
    if (memory.done) return;
    const to = strategyOf(node.task);
    const knew = Object.keys(memory.correlation).length;
    if (endsUntil(machine, frame, to, event)) memory.done = true;
    else if (consumes(machine, frame, to, event)) {
      const read = readEvent(event, (node.task["listen"] as JsonObject)["read"]);
      if (!neverEnds(to)) memory.consumed.push(read);
      machine.note("event.consumed", frame, { source: event["source"] ?? null, id: event["id"] ?? null });
      if (node.task["foreach"] === undefined) {
        if (!neverEnds(to)) memory.outputs.push(read);
      } else if (!takesBatches(node.task)) memory.queue.push(read);
      memory.done = isMet(machine, frame, to);
    }
    const keys = memory.correlation;
    if (knew === 0 && Object.keys(keys).length > 0) machine.note("run.correlation_started", frame);
    if (memory.done && Object.keys(keys).length > 0)
      machine.note("run.correlation_completed", frame, { keys });
    if (memory.done && takesBatches(node.task)) beginAgain(memory);
    goOn(machine, frame, loopOf(frame, node.task));
  },
  childCompleted(machine, frame, child, output, directive) {
    const { task } = machine.definition.task(frame.pointer);
    iterationContinues(machine, frame, loopOf(frame, task)!, child, output, directive);
  },
};

/** The listener behind a schedule: each time its strategy is met, all that was consumed is one item, without an end. */
const takesBatches = (task: JsonObject): boolean =>
  (task["foreach"] as JsonObject | undefined)?.["batch"] === true;

/** `until: ${ false }`, as the specification's own example has it: nothing is ever given, so nothing is kept for it. */
const neverEnds = ({ until }: JsonObject): boolean =>
  typeof until === "string" && /^\s*(?:false|\$\{\s*false\s*\})\s*$/.test(until);

function loopOf(frame: Frame, task: JsonObject): MessageLoop | null {
  const loop = task["foreach"] as JsonObject | undefined;
  if (loop === undefined) return null;
  return {
    loop,
    pointer: `${frame.pointer}/foreach`,
    endless: takesBatches(task) || neverEnds(strategyOf(task)),
  };
}

function beginAgain(memory: Memory): void {
  if (memory.consumed.length > 0) memory.queue.push(memory.consumed);
  Object.assign(memory, { consumed: [], met: [], untilMet: [], correlation: {}, done: false });
}

const memoryOf = (frame: Frame): Memory => frame.memory as unknown as Memory;
const strategyOf = (task: JsonObject): JsonObject => (task["listen"] as JsonObject)["to"] as JsonObject;

/** `all`, `any` or `one` as a list of filters. */
function filtersOf(strategy: JsonObject): JsonObject[] {
  if (strategy["one"] !== undefined) return [strategy["one"] as JsonObject];
  return (strategy["all"] ?? strategy["any"] ?? []) as JsonObject[];
}

const untilFilters = (to: JsonObject): JsonObject[] =>
  typeof to["until"] === "object" && to["until"] !== null ? filtersOf(to["until"] as JsonObject) : [];

/** No filter is every event. */
function listenFilters(machine: Machine, frame: Frame, to: JsonObject): ListenFilter[] {
  const own = filtersOf(to);
  if (own.length === 0) return [{ type: "", from: "", value: "" }];
  const until = to["until"] as JsonObject;
  return [
    ...own.map((filter, position) => listenFilter(machine, frame, place(frame, to, position), filter)),
    ...untilFilters(to).map((filter, position) =>
      listenFilter(machine, frame, place(frame, until, position, "/until"), filter),
    ),
  ];
}

const place = (frame: Frame, strategy: JsonObject, position: number, below = ""): string => {
  const kind = ["one", "all", "any"].find((name) => strategy[name] !== undefined)!;
  return `${frame.pointer}/listen/to${below}/${kind}${kind === "one" ? "" : `/${position}`}`;
};

/** The position of the first filter that fits, of those that `open` lets through; -1 for none. */
function firstFit(
  machine: Machine,
  frame: Frame,
  strategy: JsonObject,
  event: JsonObject,
  open: (position: number) => boolean,
  below = "",
): number {
  const memory = memoryOf(frame);
  for (const [position, filter] of filtersOf(strategy).entries()) {
    if (!open(position)) continue;
    const at = place(frame, strategy, position, below);
    const correlation = matchEvent(machine, frame, at, filter, event, memory.correlation);
    if (correlation === null) continue;
    memory.correlation = correlation;
    return position;
  }
  return -1;
}

function consumes(machine: Machine, frame: Frame, to: JsonObject, event: JsonObject): boolean {
  const memory = memoryOf(frame);
  if (to["all"] === undefined) {
    return filtersOf(to).length === 0 || firstFit(machine, frame, to, event, () => true) >= 0;
  }
  const position = firstFit(machine, frame, to, event, (at) => !memory.met.includes(at));
  if (position >= 0) memory.met.push(position);
  return position >= 0;
}

/** Whether the event belongs to the strategy that ends an `any`; it is met when all of its filters are. */
function endsUntil(machine: Machine, frame: Frame, to: JsonObject, event: JsonObject): boolean {
  const { until } = to;
  if (typeof until !== "object" || until === null) return false;
  const memory = memoryOf(frame);
  const strategy = until as JsonObject;
  const open = (at: number) => !memory.untilMet.includes(at);
  const position = firstFit(machine, frame, strategy, event, open, "/until");
  if (position < 0) return filtersOf(strategy).length === 0;
  memory.untilMet.push(position);
  return strategy["all"] === undefined || memory.untilMet.length === filtersOf(strategy).length;
}

function isMet(machine: Machine, frame: Frame, to: JsonObject): boolean {
  const memory = memoryOf(frame);
  if (to["all"] !== undefined) return memory.met.length === filtersOf(to).length;
  const { until } = to;
  if (until === undefined) return true;
  if (typeof until !== "string") return false;
  return truthy(evaluateAt(machine, frame, `${frame.pointer}/listen/to/until`, until, memory.consumed));
}

/** `data` by default, the whole CloudEvent as `envelope`, the data as text as `raw`. */
function readEvent(event: JsonObject, read: Json | undefined): Json {
  if (read === "envelope") return event;
  const data = event["data"] ?? null;
  return read === "raw" && typeof data !== "string" ? JSON.stringify(data) : data;
}
