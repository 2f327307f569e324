/** What {@link createPaint} of paint.ts writes, and nothing else that moves or hides. */
const STYLES = /(\u001b\[(?:1|2|22|31|32|33|39)m)/;
const UNSEEN = /\p{Cc}|\p{Bidi_Control}/gu;

/**
 * A text for a terminal. Names, questions and summaries are written by models, pages and programs: what moves the cursor
 * or turns the direction of writing could show a person another question than the one that is answered. It is shown as
 * `\u001b`, as JSON has it.
 */
export function terminalText(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .split(STYLES)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(UNSEEN, escaped)))
    .join("");
}

const escaped = (unseen: string): string =>
  unseen === "\n" || unseen === "\t" ? unseen : `\\u${unseen.charCodeAt(0).toString(16).padStart(4, "0")}`;
