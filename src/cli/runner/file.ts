import { LineCounter, parseDocument } from "yaml";
import { type Failure, fail } from "../../base/errors.ts";
import { misfit } from "../../base/misfit.ts";
import { readTextFile } from "../../base/read-file.ts";
import { RunnerFile } from "../../host/runner-tools.ts";
import { offsetOf } from "../yaml-place.ts";

const HINT = "the keys are listed in docs/13-runner.md";

/** @throws Failure as `readTextFile`, or `schema_violation` as `path:line:column: what is wrong` */
export function readRunnerFile(path: string): RunnerFile {
  return parseRunnerFile(readTextFile(path), path);
}

/** @param path only for messages */
export function parseRunnerFile(text: string, path: string): RunnerFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const refuse = (offset: number, message: string, hint = HINT): Failure => {
    const { line, col } = lines.linePos(offset);
    return fail("schema_violation", `${path}:${line}:${col}: ${message}`, { hint });
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw refuse(broken.pos[0], broken.message);
  // An alias is how a small file becomes a large one, and nothing here is said twice.
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const wrong = misfit(RunnerFile, value);
  if (wrong === undefined) return value as RunnerFile;
  const { keys, reason } = wrong;
  const secret = keys[0] === "secrets" && keys.length > 1;
  throw refuse(
    offsetOf(document.contents, secret ? keys.slice(0, 2) : keys),
    secret
      ? `${keys.slice(0, 2).join(".")} is not a reference to a secret`
      : `${keys.join(".") || "the file"}: ${reason}`,
    secret ? SECRET_HINT : HINT,
  );
}

const SECRET_HINT =
  "a secret is a reference: {env: NAME}, {file: /path}, {credential: NAME} or {vault: {path, field}}";
