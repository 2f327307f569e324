import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { terminalText } from "./terminal-text.ts";

/** One of the two output streams. Writes are complete when they return, so an exit never cuts output off. */
export class Output {
  readonly isTerminal: boolean;
  /** True once the reader has gone (`| head`); what is written then is dropped. */
  closed = false;
  readonly #fd: number;
  readonly #onClosed: () => void;
  #hasStatus = false;

  constructor(fd: 1 | 2, onClosed: () => void) {
    this.#fd = fd;
    this.#onClosed = onClosed;
    this.isTerminal = isatty(fd);
  }

  /** Bytes as they are; of a text on a terminal no more than {@link terminalText} lets through. */
  write(data: string | Uint8Array): void {
    this.status("");
    this.#write(typeof data === "string" && this.isTerminal ? terminalText(data) : data);
  }

  /** What moves the cursor: the caller's own, with nothing in it that others wrote. */
  control(text: string): void {
    this.status("");
    this.#write(text);
  }

  /** A line that whatever is written next takes the place of; an empty one takes it away. Only for a terminal. */
  status(text: string): void {
    if (this.#hasStatus) this.#write("\r\x1b[K");
    this.#hasStatus = text !== "";
    if (this.#hasStatus) this.#write(terminalText(text).slice(0, this.columns - 1));
  }

  #write(data: string | Uint8Array): void {
    if (this.closed) return;
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (let offset = 0; offset < bytes.length; ) {
      try {
        offset += writeSync(this.#fd, bytes, offset, bytes.length - offset);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // A pipe that its other end made non-blocking: wait for room, as a blocking one would.
        if (code === "EAGAIN") Bun.sleepSync(1);
        else if (code === "EPIPE") {
          this.closed = true;
          this.#onClosed();
          return;
        } else throw error;
      }
    }
  }

  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** Columns of the terminal; 80 where there is none. */
  get columns(): number {
    return (this.#fd === 1 ? process.stdout.columns : process.stderr.columns) || 80;
  }
}
