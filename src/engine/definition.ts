import { isObject, type Json, type JsonObject } from "../base/json.ts";
import {
  compileExpression,
  compileTemplate,
  type Evaluate,
  type ExpressionMode,
} from "../expression/index.ts";
import { joinPointer, kindOf, pointerTokens, valueAt } from "../workflow/index.ts";
import { hearsLifecycle } from "./lifecycle.ts";

export type TaskDefinition = JsonObject;

/** A task of the document at its pointer. */
export interface TaskNode {
  readonly pointer: string;
  readonly name: string;
  readonly task: TaskDefinition;
  readonly kind: string;
}

/** A named list of tasks, as `do`, a branch or a catch has. */
export interface ListNode {
  readonly pointer: string;
  readonly tasks: readonly TaskNode[];
  readonly index: ReadonlyMap<string, number>;
  /** The task that follows each, by its pointer; null after the last. */
  readonly next: ReadonlyMap<string, TaskNode | null>;
}

/**
 * A document made ready to run: its lists indexed, its expressions compiled at first use and kept. One for each
 * digest; it holds no state of any instance.
 */
export class Definition {
  readonly document: JsonObject;
  readonly digest: string;
  readonly mode: ExpressionMode;
  /** `use.extensions`; most documents have none, and every task asks. */
  readonly extensions: readonly JsonObject[];
  /** Asked at every advance, so found out once. */
  readonly hearsLifecycle: boolean;
  readonly #lists = new Map<string, ListNode>();
  readonly #tasks = new Map<string, TaskNode>();
  /** By task, then by place: a text of both would be put together anew each time. */
  readonly #templates = new Map<string, Map<string, Evaluate>>();
  readonly #expressions = new Map<string, Evaluate>();

  constructor(document: JsonObject, digest: string) {
    this.document = document;
    this.digest = digest;
    const use = document["use"];
    const extensions = isObject(use) ? use["extensions"] : undefined;
    this.extensions = Array.isArray(extensions) ? (extensions as JsonObject[]) : [];
    this.hearsLifecycle = hearsLifecycle(document);
    const evaluate = document["evaluate"];
    this.mode = isObject(evaluate) && evaluate["mode"] === "loose" ? "loose" : "strict";
  }

  /** The value at a JSON pointer of the document. */
  at(pointer: string): Json | undefined {
    return valueAt(this.document, pointer) as Json | undefined;
  }

  /** The task list at a pointer such as `/do` or `/do/1/loop/do`. */
  list(pointer: string): ListNode {
    let node = this.#lists.get(pointer);
    if (node === undefined) {
      const entries = this.at(pointer) as JsonObject[];
      const tasks = entries.map((entry, position): TaskNode => {
        const name = Object.keys(entry)[0]!;
        const task = entry[name] as TaskDefinition;
        return this.#node(joinPointer(pointer, position, name), name, task);
      });
      const index = new Map(tasks.map((task, position) => [task.name, position]));
      const next = new Map(tasks.map((task, position) => [task.pointer, tasks[position + 1] ?? null]));
      node = { pointer, tasks, index, next };
      this.#lists.set(pointer, node);
    }
    return node;
  }

  /** The task at its own pointer: in a list, a step of a graph (`…/graph/steps/<name>/task`) or a function. */
  task(pointer: string): TaskNode {
    const known = this.#tasks.get(pointer);
    if (known !== undefined) return known;
    const tokens = pointerTokens(pointer);
    // The name before `task` is the step's; an entry of a list has its index there, and `steps` before it is no list.
    const name = tokens.at(-1) === "task" && tokens.at(-3) === "steps" ? tokens.at(-2)! : tokens.at(-1)!;
    return this.#node(pointer, name, this.at(pointer) as TaskDefinition);
  }

  #node(pointer: string, name: string, task: TaskDefinition): TaskNode {
    const known = this.#tasks.get(pointer);
    if (known !== undefined) return known;
    const node = { pointer, name, task, kind: kindOf(task) ?? "unknown" };
    this.#tasks.set(pointer, node);
    return node;
  }

  /** A JSON value with embedded `${ }` expressions; the task and the place in it are its name for the cache. */
  template(pointer: string, place: string, value: Json): Evaluate {
    let places = this.#templates.get(pointer);
    if (places === undefined) {
      places = new Map();
      this.#templates.set(pointer, places);
    }
    let evaluate = places.get(place);
    if (evaluate === undefined) {
      evaluate = compileTemplate(value, { mode: this.mode });
      places.set(place, evaluate);
    }
    return evaluate;
  }

  /** A place whose type is an expression: bare text is one too; an object or another literal is a template. */
  expression(key: string, value: Json): Evaluate {
    let evaluate = this.#expressions.get(key);
    if (evaluate === undefined) {
      evaluate =
        typeof value === "string"
          ? compileExpression(value, { bare: true, mode: this.mode })
          : compileTemplate(value, { mode: this.mode });
      this.#expressions.set(key, evaluate);
    }
    return evaluate;
  }
}
