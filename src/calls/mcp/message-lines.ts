const NEWLINE = 10;

/** Cuts a stream into lines, each decoded once: a long one comes in thousands of pieces. */
export function messageLines(): (part: Uint8Array) => string[] {
  const decoder = new TextDecoder();
  let pieces: Uint8Array[] = [];
  return (part) => {
    const lines: string[] = [];
    let start = 0;
    for (let end = part.indexOf(NEWLINE); end >= 0; end = part.indexOf(NEWLINE, start)) {
      pieces.push(part.subarray(start, end));
      lines.push(decoder.decode(Buffer.concat(pieces)));
      pieces = [];
      start = end + 1;
    }
    if (start < part.length) pieces.push(part.slice(start));
    return lines;
  };
}
