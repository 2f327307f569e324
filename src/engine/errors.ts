import { Failure } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import type { TaskError } from "./state.ts";

const BASE = "https://serverlessworkflow.io/spec/1.0.0/errors/";

const STATUS = {
  configuration: 400,
  validation: 400,
  expression: 400,
  authentication: 401,
  authorization: 403,
  timeout: 408,
  communication: 500,
  runtime: 500,
} as const;
export type ErrorKind = keyof typeof STATUS;

/** A DSL standard error (DSL reference, "Errors"). */
export function taskError(kind: ErrorKind, detail: string, data?: JsonObject, title?: string): TaskError {
  return {
    type: `${BASE}${kind}`,
    status: STATUS[kind],
    title: title ?? `${kind[0]!.toUpperCase()}${kind.slice(1)} error`,
    detail,
    ...(data === undefined ? {} : { data }),
  };
}

/** Errors of what the dialect adds. */
export const DIALECT_ERRORS = "https://agentic-workflow.org/errors/";
export const ASSERTION_FAILED = `${DIALECT_ERRORS}assertion-failed`;

/** Thrown inside the engine to fault the task at hand. */
export class TaskFault extends Error {
  readonly error: TaskError;
  constructor(error: TaskError) {
    super(error.detail ?? error.title ?? error.type);
    this.error = error;
  }
}

export function fault(kind: ErrorKind, detail: string, data?: JsonObject): TaskFault {
  return new TaskFault(taskError(kind, detail, data));
}

/** Anything thrown while a task was evaluated, as the error that the task faults with. */
export function toTaskError(thrown: unknown): TaskError {
  if (thrown instanceof TaskFault) return thrown.error;
  if (thrown instanceof Failure && thrown.code.startsWith("expression_")) {
    return taskError("expression", thrown.message, { code: thrown.code });
  }
  throw thrown;
}

/** The three spellings of a standard error type that documents use, as one. */
export function normalizeErrorType(type: string): string {
  const match =
    /^https:\/\/(?:serverlessworkflow\.io|open-workflow-specification\.org)\/(?:spec\/[\d.]+\/errors|dsl\/errors\/types)\/([a-z]+)$/.exec(
      type,
    );
  return match === null ? type : `${BASE}${match[1]}`;
}
