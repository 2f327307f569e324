import { callError } from "../error.ts";

/**
 * A whole answer, unpacked, never more than `limit` bytes in memory.
 * @throws CallError `communication` when it is larger, or ends before its end
 */
export async function readAnswer(response: Response, limit: number, from: string): Promise<Uint8Array> {
  if (isDeclared(response, limit)) {
    const bytes = await response.arrayBuffer().catch(() => {
      throw callError("communication", `${from}: the answer broke off`);
    });
    return new Uint8Array(bytes);
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answerParts(response, from)) {
    size += part.length;
    if (size > limit) throw callError("communication", `${from}: the answer is over ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Whether the connection itself ends the answer below the limit: it is as long as it says, and nothing unpacks it. */
function isDeclared({ headers }: Response, limit: number): boolean {
  const length = headers.get("content-length");
  return length !== null && Number(length) <= limit && !headers.has("content-encoding");
}

/** An answer as it arrives; leaving the loop gives the connection up. */
export async function* answerParts(response: Response, from: string): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let isDone = false;
  try {
    for (;;) {
      const part = await reader.read().catch(() => {
        isDone = true;
        throw callError("communication", `${from}: the answer broke off`);
      });
      if (part.done) {
        isDone = true;
        return;
      }
      yield part.value;
    }
  } finally {
    if (!isDone) await reader.cancel().catch(() => {});
  }
}
