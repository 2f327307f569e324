import { invalid } from "./invalid.ts";
import { type Token, tokenAt } from "./lexer.ts";

/** Deeper trees would not fit on the call stack of the passes that walk them. */
const MAXIMUM_NESTING = 400;

export type Cursor = ReturnType<typeof createCursor>;

/** The reading place in a program, and the small questions that a recursive descent asks of it. */
export function createCursor(source: string) {
  let token: Token = tokenAt(source, 0);
  let nesting = 0;

  /** The token to be read next. */
  const now = (): Token => token;
  const jump = (offset: number): void => {
    token = tokenAt(source, offset);
  };
  const refuse = (message: string, at = token): never => {
    throw invalid(source, at.start, message);
  };
  const unexpected = (wanted: string): never =>
    refuse(
      is("end")
        ? `the program ends where ${wanted} was expected`
        : `unexpected ${JSON.stringify(source.slice(token.start, token.end))}, expected ${wanted}`,
    );
  const advance = (): Token => {
    const taken = token;
    token = tokenAt(source, token.end);
    return taken;
  };
  const is = (kind: Token["kind"]): boolean => token.kind === kind;
  const isOperator = (text: string): boolean => token.kind === "operator" && token.text === text;
  const isKeyword = (text: string): boolean => is("keyword") && token.text === text;
  const take = (text: string): boolean => {
    if (!isOperator(text)) return false;
    advance();
    return true;
  };
  const takeKeyword = (text: string): boolean => {
    if (!isKeyword(text)) return false;
    advance();
    return true;
  };
  const expect = (text: string): void => {
    if (!take(text)) unexpected(`'${text}'`);
  };
  const expectKeyword = (text: string): void => {
    if (!takeKeyword(text)) unexpected(`'${text}'`);
  };
  const expectVariable = (): string => {
    if (!is("variable")) return unexpected("a variable");
    return advance().text;
  };
  const nested = <T>(inner: () => T): T => {
    if (++nesting > MAXIMUM_NESTING) refuse(`the program nests more than ${MAXIMUM_NESTING} levels`);
    const result = inner();
    nesting--;
    return result;
  };

  // A long chain of one operator is a long list, not a deep tree in the source: it is parsed by loops and counts
  // here by its links, because every later pass recurses over it.
  const chain = (links: number): void => {
    if (nesting + links > MAXIMUM_NESTING * 4)
      refuse(`more than ${MAXIMUM_NESTING * 4} operators in one chain`);
  };

  return {
    source,
    now,
    jump,
    refuse,
    unexpected,
    advance,
    is,
    isOperator,
    isKeyword,
    take,
    takeKeyword,
    expect,
    expectKeyword,
    expectVariable,
    nested,
    chain,
  };
}
