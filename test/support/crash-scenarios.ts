import type { Json, JsonObject } from "../../src/base/json.ts";

/** A workflow to be killed at each of its commits, and what its world does to it. */
export interface CrashScenario {
  /** @param stub address of the service that counts writes by their key */
  tasks(stub: string): readonly object[];
  /** Other workflows, by name. */
  readonly published?: Record<string, readonly object[]>;
  /** Events that come in once somebody listens; their ids are the same after each restart. */
  readonly events?: readonly JsonObject[];
  /** The answer to every question. */
  readonly answer?: Json;
  /** Whether commands run: the local runner takes longer to start. */
  readonly runner?: boolean;
}

const event = (id: string, data: Json): JsonObject => ({
  specversion: "1.0",
  id,
  source: "/crash",
  type: "go",
  data,
});
const wait = (milliseconds: number): JsonObject => ({ wait: { milliseconds } });
const post = (stub: string): JsonObject => ({
  call: "http",
  with: { method: "post", endpoint: `${stub}effect`, body: { n: 1 } },
});

const MADE = { source: "/x", type: "made", id: "1", time: "2026-01-01T00:00:00Z", data: 5 };

/** One for each task type; each has a boundary before and after it, so that a kill falls between. */
export const CRASH_SCENARIOS: Readonly<Record<string, CrashScenario>> = {
  set: { tasks: () => [{ a: { set: { n: 1 } } }, { p: wait(20) }, { b: { set: { n: "${ .n + 1 }" } } }] },
  switch: {
    tasks: () => [
      { p: wait(20) },
      { s: { switch: [{ yes: { when: "${ true }", then: "last" } }] } },
      { no: { raise: { error: { type: "urn:no", status: 500 } } } },
      { last: { set: { last: true } } },
    ],
  },
  do: { tasks: () => [{ outer: { do: [{ a: wait(10) }, { b: { set: { n: 1 } } }, { c: wait(10) }] } }] },
  for: {
    tasks: () => [
      {
        loop: {
          for: { each: "n", in: "${ [1, 2, 3] }" },
          do: [{ p: wait(10) }, { s: { set: { n: "${ $n }" } } }],
        },
      },
    ],
  },
  fork: {
    tasks: (stub) => [
      {
        f: {
          fork: {
            branches: [
              { a: wait(30) },
              { b: post(stub) },
              { c: { do: [{ d: wait(10) }, { e: post(stub) }] } },
            ],
          },
        },
      },
    ],
  },
  compete: {
    tasks: () => [{ f: { fork: { compete: true, branches: [{ slow: wait(60_000) }, { fast: wait(20) }] } } }],
  },
  try: {
    tasks: () => [
      {
        t: {
          try: [{ r: { raise: { error: { type: "urn:x", status: 500 } } } }],
          catch: {
            retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 2 } } },
            do: [{ c: { set: { caught: true } } }],
          },
        },
      },
    ],
  },
  raise: { tasks: () => [{ p: wait(10) }, { r: { raise: { error: { type: "urn:x", status: 418 } } } }] },
  wait: { tasks: () => [{ a: wait(40) }, { b: wait(10) }] },
  timeout: {
    tasks: () => [
      {
        t: {
          try: [{ long: { ...wait(60_000), timeout: { after: { milliseconds: 20 } } } }],
          catch: { do: [{ late: { set: { late: true } } }] },
        },
      },
    ],
  },
  emit: {
    tasks: () => [
      {
        f: {
          fork: {
            branches: [
              { hears: { listen: { to: { one: { with: { type: "made" } } } } } },
              {
                says: {
                  do: [{ p: wait(20) }, { e: { emit: { event: { with: MADE } } } }],
                },
              },
            ],
          },
        },
      },
    ],
  },
  listen: {
    tasks: () => [
      {
        two: {
          listen: { to: { all: [{ with: { type: "go", id: "1" } }, { with: { type: "go", id: "2" } }] } },
        },
      },
      { p: wait(10) },
    ],
    events: [event("1", 1), event("2", 2)],
  },
  "call that reads": {
    tasks: (stub) => [
      { c: { call: "http", with: { method: "get", endpoint: `${stub}value` } } },
      { p: wait(10) },
    ],
  },
  "call that writes": { tasks: (stub) => [{ c: post(stub) }, { d: post(stub) }] },
  "run workflow": {
    tasks: () => [{ w: { run: { workflow: { namespace: "t", name: "below", version: "latest" } } } }],
    published: { below: [{ p: wait(20) }, { s: { set: { below: true } } }] },
  },
  "run shell": {
    tasks: () => [
      { c: { run: { shell: { command: "true" } }, metadata: { lightWorkflow: { repeatable: true } } } },
      { s: { set: { done: true } } },
    ],
    runner: true,
  },
  ask: { tasks: () => [{ q: { ask: { prompt: "Go on?" } } }, { p: wait(10) }], answer: "yes" },
  assert: { tasks: () => [{ p: wait(10) }, { a: { assert: { that: "${ true }" } } }] },
  graph: {
    tasks: (stub) => [
      {
        g: {
          graph: {
            steps: {
              a: { task: wait(10) },
              b: { task: post(stub) },
              c: { needs: ["a", "b"], task: wait(10) },
            },
          },
        },
      },
    ],
  },
};
