/** Open brackets at one point of a text. Hand-written assets stay below twenty. */
const BRACKETS = 200;
/**
 * Tokens that could each add a level to the syntax tree at one point. The native parser overflowed its stack
 * between 2,000 and 10,000 levels of the dearest construct, and between 10,000 and 30,000 of prefix operators.
 */
const LEVELS = 4000;
/** Below this length no text reaches a dangerous depth, so it is not scanned. */
const SHORT = 1500;

export interface NestingProblem {
  readonly message: string;
  readonly offset: number;
}

/** Reserved words after which a slash starts a pattern. */
const BEFORE_EXPRESSION = new Set(
  "return typeof case in delete void throw new else do yield await instanceof extends default".split(" "),
);
/** Statements whose head stands in brackets: a slash behind them starts a pattern, behind any other bracket it divides. */
const HEADS = new Set(["if", "while", "for", "with"]);
/** Words that are names in one place and operators in another. */
const CONTEXTUAL = new Set("of as satisfies is keyof infer asserts".split(" "));

const isWord = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  (code >= 48 && code <= 57) ||
  code === 95 ||
  code === 36 ||
  code > 127;

/**
 * Whether a text may be handed to the native parser, which recurses without a limit of its own: `undefined`, or
 * where it goes too deep. The bound is an over-estimate of the tree's depth: for each open bracket, the tokens
 * since the last `,` or `;` on its level (member names and a call's brackets do not count: chains are parsed in a
 * loop). A slash whose reading as division or as pattern cannot be told from the token before it, and matters, is
 * refused rather than guessed.
 */
export function nestingProblem(text: string): NestingProblem | undefined {
  if (text.length < SHORT) return undefined;
  /** Tokens on each open level; the last is the current one. */
  const levels: number[] = [0];
  /** Open `<` on each level: type arguments nest without a bracket, and their commas end nothing. */
  const angles: number[] = [0];
  /** For each open level: whether its closing brace returns into a template literal. */
  const template: boolean[] = [false];
  /** For each open level: whether it is the head of a statement. */
  const heads: boolean[] = [false];
  let total = 0;
  let previous = "";
  /** The word that `previous` stands for, unless it is a member's name. */
  let word = "";
  let at = 0;

  const endItem = (): void => {
    total -= levels[levels.length - 1]!;
    levels[levels.length - 1] = 0;
  };
  const endStatement = (): void => {
    endItem();
    total -= angles[angles.length - 1]!;
    angles[angles.length - 1] = 0;
  };
  const angle = (step: 1 | -1): void => {
    if (angles[angles.length - 1]! + step < 0) return;
    angles[angles.length - 1]! += step;
    total += step;
  };
  const count = (): void => {
    levels[levels.length - 1]!++;
    total++;
  };
  const open = (inTemplate: boolean): void => {
    count();
    levels.push(0);
    angles.push(0);
    template.push(inTemplate);
    heads.push((previous === "word" || previous === "keyword") && HEADS.has(word));
    word = "";
  };
  /** Whether the level that ends was the head of a statement. */
  let head = false;
  const close = (): boolean => {
    if (levels.length === 1) return false;
    total -= levels.pop()! + angles.pop()!;
    head = heads.pop()!;
    return template.pop()!;
  };
  /** Skip template text from `at` to its end or to the next substitution. */
  const templateText = (): void => {
    for (; at < text.length; at++) {
      const char = text[at];
      if (char === "\\") at++;
      else if (char === "`") {
        at++;
        previous = "`";
        return;
      } else if (char === "$" && text[at + 1] === "{") {
        at += 2;
        open(true);
        previous = "{";
        return;
      }
    }
  };

  while (at < text.length) {
    if (levels.length > BRACKETS || total > LEVELS) {
      return { message: "the source is nested too deeply", offset: at };
    }
    const char = text[at]!;
    const code = text.charCodeAt(at);
    if (code <= 32) {
      at++;
    } else if (isWord(code)) {
      const start = at;
      while (at < text.length && isWord(text.charCodeAt(at))) at++;
      const member = previous === ".";
      const before = previous === "word" ? word : "";
      word = text.slice(start, at);
      // A module's `export` always starts a statement, so nothing before it can hold what follows.
      if (word === "export" && levels.length === 1 && previous !== ".") endStatement();
      else if (previous !== ".") count();
      if (previous === ".") previous = "word";
      else previous = BEFORE_EXPRESSION.has(word) ? "keyword" : CONTEXTUAL.has(word) ? "either" : "word";
      if (member) word = "";
      else if (word === "await" && before === "for") word = before;
    } else if (char === '"' || char === "'") {
      for (at++; at < text.length && text[at] !== char && text[at] !== "\n"; at++)
        if (text[at] === "\\") at++;
      at++;
      count();
      previous = "word";
    } else if (char === "`") {
      count();
      at++;
      templateText();
    } else if (char === "/" && text[at + 1] === "/") {
      at = endOfLine(text, at);
    } else if (char === "/" && text[at + 1] === "*") {
      const end = text.indexOf("*/", at + 2);
      at = end === -1 ? text.length : end + 2;
    } else if (char === "/") {
      count();
      const division = previous === "word" || previous === "]" || previous === "`" || previous === ")";
      if (division) {
        at++;
      } else if (beginsExpression(previous)) {
        at = endOfPattern(text, at);
      } else {
        const rest = text.slice(at + 1, endOfLine(text, at));
        if (/["'`()[\]{}/]/.test(rest)) {
          return {
            message: "this slash may start a pattern or divide: put it on a line of its own",
            offset: at,
          };
        }
        at++;
      }
      previous = "word";
    } else {
      if (char === "(" || char === "[" || char === "{") {
        // A call's own bracket hangs on what stands before it.
        open(false);
        previous = char;
        at++;
      } else if (char === ")" || char === "]" || char === "}") {
        at++;
        previous = char;
        const inTemplate = close();
        if (char === ")" && head) previous = "head";
        if (inTemplate && char === "}") templateText();
        else if (char === ")" && levels[levels.length - 1]! > 0) {
          levels[levels.length - 1]!--;
          total--;
        }
      } else {
        if (char === ",") endItem();
        else if (char === ";") endStatement();
        else if (char !== ".") count();
        if (char === "<") angle(1);
        else if (char === ">" && previous !== "=") angle(-1);
        // Twins such as `++` leave open whether a value stands before the next token, and so does `!` behind a value.
        if ((char === "+" || char === "-") && previous === char) previous = "++";
        else if (char !== "!" || !beginsExpression(previous)) previous = char;
        at++;
      }
    }
  }
  return undefined;
}

/** Whether an expression begins behind such a token, so that a slash there is that of a pattern. */
const beginsExpression = (previous: string): boolean =>
  previous === "" ||
  previous === "keyword" ||
  previous === "head" ||
  (previous.length === 1 && "(,=:[&|?{;+-*%~^<".includes(previous));

function endOfLine(text: string, from: number): number {
  const match = /[\n\r\u2028\u2029]/g;
  match.lastIndex = from;
  return match.exec(text)?.index ?? text.length;
}

/** The offset after a pattern literal that starts at `from`; a line end closes a broken one. */
function endOfPattern(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at];
    if (char === "\n" || char === "\r") return at;
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return at + 1;
  }
  return text.length;
}
