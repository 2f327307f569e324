const NEWLINE = 10;

/**
 * Cuts a stream into lines, each decoded once: a long one comes in thousands of pieces.
 * @throws what `tooLong` makes, for a line of more bytes than `maximum`
 */
export function messageLines(maximum: number, tooLong: () => Error): (part: Uint8Array) => string[] {
  const decoder = new TextDecoder();
  let pieces: Uint8Array[] = [];
  let size = 0;
  const add = (piece: Uint8Array): void => {
    size += piece.length;
    if (size > maximum) throw tooLong();
    pieces.push(piece);
  };
  return (part) => {
    const lines: string[] = [];
    let start = 0;
    for (let end = part.indexOf(NEWLINE); end >= 0; end = part.indexOf(NEWLINE, start)) {
      add(part.subarray(start, end));
      lines.push(decoder.decode(Buffer.concat(pieces)));
      pieces = [];
      size = 0;
      start = end + 1;
    }
    if (start < part.length) add(part.slice(start));
    return lines;
  };
}
