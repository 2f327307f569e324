import { NAME_MAX } from "./abi.ts";
import { errno } from "./errno.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads the names of a message out of the buffer that it arrived in. */
export class Names {
  readonly #bytes: Uint8Array;
  readonly #text: Buffer;

  constructor(input: ArrayBuffer) {
    this.#bytes = new Uint8Array(input);
    this.#text = Buffer.from(input);
  }

  /**
   * The name at a byte offset of a message of `length` bytes: it must end within the message and be valid UTF-8.
   * @throws Errno `EIO`, `ENAMETOOLONG`, `EINVAL`
   */
  at(offset: number, length: number, limit = NAME_MAX): string {
    const bytes = this.#bytes;
    let end = offset;
    let high = 0;
    for (; end < length && bytes[end] !== 0; end++) high |= bytes[end]!;
    if (end >= length) throw errno("EIO");
    if (end - offset > limit) throw errno("ENAMETOOLONG");
    if (high < 0x80) return this.#text.toString("latin1", offset, end);
    try {
      return decoder.decode(bytes.subarray(offset, end));
    } catch {
      throw errno("EINVAL");
    }
  }

  /** The same for something that is to be made: no separator, and no name with a meaning of its own. */
  ofNew(offset: number, length: number): string {
    const name = this.at(offset, length);
    if (name === "" || name === "." || name === ".." || name.includes("/")) throw errno("EINVAL");
    return name;
  }
}
