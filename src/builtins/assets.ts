// Each import is the text of the file, embedded in the executable; the type checker would read a module.
// @ts-expect-error
import controlIf from "./nodes/control_if.ts" with { type: "text" };
// @ts-expect-error
import controlMap from "./nodes/control_map.ts" with { type: "text" };
// @ts-expect-error
import controlMerge from "./nodes/control_merge.ts" with { type: "text" };
// @ts-expect-error
import imageContactSheet from "./nodes/image_contact_sheet.ts" with { type: "text" };
// @ts-expect-error
import imageConvert from "./nodes/image_convert.ts" with { type: "text" };
// @ts-expect-error
import imageLoad from "./nodes/image_load.ts" with { type: "text" };
// @ts-expect-error
import imageResize from "./nodes/image_resize.ts" with { type: "text" };
// @ts-expect-error
import imageRotate from "./nodes/image_rotate.ts" with { type: "text" };
// @ts-expect-error
import imageThumbnail from "./nodes/image_thumbnail.ts" with { type: "text" };
// @ts-expect-error
import jsonExtract from "./nodes/json_extract.ts" with { type: "text" };
// @ts-expect-error
import llmClassify from "./nodes/llm_classify.ts" with { type: "text" };
// @ts-expect-error
import llmPrompt from "./nodes/llm_prompt.ts" with { type: "text" };
// @ts-expect-error
import llmStructuredOutput from "./nodes/llm_structured_output.ts" with { type: "text" };
// @ts-expect-error
import textConcat from "./nodes/text_concat.ts" with { type: "text" };
// @ts-expect-error
import textRegex from "./nodes/text_regex.ts" with { type: "text" };
// @ts-expect-error
import textTemplate from "./nodes/text_template.ts" with { type: "text" };
// @ts-expect-error
import contactSheet from "./workflows/contact_sheet.ts" with { type: "text" };
// @ts-expect-error
import selfCheck from "./workflows/self_check.ts" with { type: "text" };

/** An asset that the executable carries, as text. It is read like a project's, and never run to be read. */
export interface BuiltinAsset {
  readonly kind: "model" | "node" | "composition" | "workflow";
  /** File name. */
  readonly name: string;
  readonly text: string;
}

const NODES: Readonly<Record<string, string>> = {
  "control_if.ts": controlIf,
  "control_map.ts": controlMap,
  "control_merge.ts": controlMerge,
  "image_contact_sheet.ts": imageContactSheet,
  "image_convert.ts": imageConvert,
  "image_load.ts": imageLoad,
  "image_resize.ts": imageResize,
  "image_rotate.ts": imageRotate,
  "image_thumbnail.ts": imageThumbnail,
  "json_extract.ts": jsonExtract,
  "llm_classify.ts": llmClassify,
  "llm_prompt.ts": llmPrompt,
  "llm_structured_output.ts": llmStructuredOutput,
  "text_concat.ts": textConcat,
  "text_regex.ts": textRegex,
  "text_template.ts": textTemplate,
};

export const BUILTIN_ASSETS: readonly BuiltinAsset[] = [
  ...Object.entries(NODES).map(([name, text]) => ({ kind: "node" as const, name, text })),
  { kind: "workflow", name: "contact_sheet.ts", text: contactSheet },
  { kind: "workflow", name: "self_check.ts", text: selfCheck },
];

/** Changes with any of them. */
export const BUILTINS_STAMP: string = new Bun.CryptoHasher("sha256")
  .update(BUILTIN_ASSETS.map(({ name, text }) => `${name}\0${text}`).join("\0"))
  .digest("hex")
  .slice(0, 32);
