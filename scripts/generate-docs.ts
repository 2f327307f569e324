/** Writes the docs that are made from code: `bun scripts/generate-docs.ts`; `--check` only says what is out of date. */
import { join } from "node:path";
import { ERRORS, type ErrorCode } from "../src/base/errors.ts";
import { EXIT_TEXT, exitCodeOf } from "../src/cli/exit.ts";
import { openapiYaml } from "./openapi.ts";
import { policyDocument } from "./policy-document.ts";

const ROOT = join(import.meta.dir, "..");

/** Every generated document: its path from the root and its text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/errors.md", errorsDocument()],
    ["docs/10-policy.md", policyDocument()],
    ["openapi/lightflow.yaml", openapiYaml()],
  ]);
}

function errorsDocument(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map((code) => {
    const { status, retry, text } = ERRORS[code];
    return `| \`${code}\` | ${status} | ${retry} | ${exitCodeOf(code)} | ${text} |`;
  });
  return `# Errors and exit codes

Generated from \`src/base/errors.ts\` and \`src/cli/exit.ts\` by \`bun scripts/generate-docs.ts\`; describes today.

Every refusal has one stable code. Over HTTP the body is a problem document (RFC 9457) that carries the code as \`code\`
and the plain message as \`error\` too; on the command line it is one line on stderr, and with \`--json\` the same problem
document.

## Exit codes

| Exit code | Meaning |
|---|---|
${Object.entries(EXIT_TEXT)
  .map(([code, text]) => `| ${code} | ${text} |`)
  .join("\n")}

## Codes

The retry class says what a caller may do: \`never\`, the same request will be refused again; \`safe\`, nothing happened and
the same request may be sent again; \`inspect\`, something may have happened, so look before repeating.

| Code | HTTP | Retry | Exit | Meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  for (const [path, text] of generatedDocs()) {
    const file = Bun.file(join(ROOT, path));
    if ((await file.exists()) && (await file.text()) === text) continue;
    if (check) {
      console.error(`${path} is out of date; run: bun scripts/generate-docs.ts`);
      process.exitCode = 1;
    } else {
      await Bun.write(file, text);
      console.log(`wrote ${path}`);
    }
  }
}
