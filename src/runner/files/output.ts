import { closeSync, readFileSync } from "node:fs";
import { type Failure, fail, toFailure } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { parseStrictJson } from "../../base/strict-json.ts";
import type { Lease } from "../../protocol/index.ts";
import { openBelow } from "./walk.ts";

/**
 * The structured output of a task: one JSON value in the file that LIGHTFLOW_OUTPUT named.
 * @throws Failure `execution_output_invalid`, `execution_output_too_large`
 */
export function readOutput(directory: string, name: string, context: Pick<Lease, "output" | "limits">): Json {
  if (context.output === "none") return null;
  const opened = openBelow(directory, name);
  if (opened === null) {
    throw fail("execution_output_invalid", "the task wrote no output, or what it made is no regular file", {
      hint: "it has to write one JSON value to the file that LIGHTFLOW_OUTPUT names",
    });
  }
  try {
    if (opened.stat.size > context.limits.outputBytes) {
      throw fail(
        "execution_output_too_large",
        `the output is ${opened.stat.size} bytes, ${context.limits.outputBytes} are allowed; hand over large data as an artifact`,
      );
    }
    const bytes = readFileSync(opened.descriptor);
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(error);
  } finally {
    closeSync(opened.descriptor);
  }
}

function invalid(error: unknown): Failure {
  const failure = toFailure(error);
  if (failure.code === "execution_output_too_large") return failure;
  return fail("execution_output_invalid", `the output is not valid JSON: ${failure.message}`, {
    cause: error,
  });
}
