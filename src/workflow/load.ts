import { fail } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { LIMITS } from "../base/limits.ts";
import { checkDocument } from "./check.ts";
import { type Diagnostic, diagnosticText, withPositions } from "./diagnostic.ts";
import { documentDigest } from "./digest.ts";
import { loadJson } from "./load-json.ts";
import { loadYaml } from "./load-yaml.ts";
import type { Mode, WorkflowDocument } from "./schema/index.ts";

export interface LoadOptions {
  /** What the text is called in messages; its ending decides the format in `auto`. */
  readonly name?: string;
  /** Default `auto`: JSON for a name in `.json` or a text that starts with `{`, else YAML. */
  readonly format?: "yaml" | "json" | "auto";
  readonly mode: Mode;
}

export interface LoadedDocument {
  readonly document: WorkflowDocument;
  readonly digest: string;
  /** Warnings alone. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * A text as a document that may be published.
 * @throws Failure `document_invalid` with `details.diagnostics`: every fault with its pointer, line and column
 */
export function loadDocument(text: string, options: LoadOptions): LoadedDocument {
  const { diagnostics, document } = inspectDocument(text, options);
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error");
  if (errors.length > 0 || document === undefined) throw documentInvalid(errors, diagnostics, options.name);
  return { document, digest: documentDigest(document), diagnostics };
}

export function documentInvalid(
  errors: readonly Diagnostic[],
  diagnostics: readonly Diagnostic[] = errors,
  name?: string,
) {
  const where = name === undefined ? "" : `${name}: `;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return fail("document_invalid", `${where}${diagnosticText(errors[0]!)}${more}`, {
    details: { diagnostics },
  });
}

/** All that can be said about a text; `document` is given where nothing in it is an error. */
export function inspectDocument(
  text: string,
  options: LoadOptions,
): { readonly document?: WorkflowDocument; readonly diagnostics: readonly Diagnostic[] } {
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.documentBytes)
    return {
      diagnostics: [
        {
          code: "too_large",
          severity: "error",
          pointer: "",
          message: `the text has ${bytes} bytes, the limit is ${LIMITS.documentBytes}`,
        },
      ],
    };
  const loaded = formatOf(text, options) === "json" ? loadJson(text) : loadYaml(text);
  if (Array.isArray(loaded)) return { diagnostics: loaded };
  const diagnostics = withPositions(checkDocument(loaded.value, { mode: options.mode }), loaded.positions);
  if (diagnostics.some((diagnostic) => diagnostic.severity === "error")) return { diagnostics };
  return { document: loaded.value as unknown as WorkflowDocument, diagnostics };
}

/**
 * A JSON or YAML text that is no document by itself, such as a schema.
 * @throws Failure `document_invalid`
 */
export function loadValue(text: string): Json {
  if (Buffer.byteLength(text) > LIMITS.documentBytes)
    throw fail("document_invalid", `the text has more than ${LIMITS.documentBytes} bytes`);
  const loaded = /^\s*[{[]/.test(text) ? loadJson(text) : loadYaml(text);
  if (Array.isArray(loaded)) throw documentInvalid(loaded);
  return loaded.value as Json;
}

function formatOf(text: string, options: LoadOptions): "yaml" | "json" {
  if (options.format === "yaml" || options.format === "json") return options.format;
  if (options.name?.endsWith(".json")) return "json";
  if (options.name !== undefined && /\.ya?ml$/.test(options.name)) return "yaml";
  return /^\s*\{/.test(text) ? "json" : "yaml";
}
