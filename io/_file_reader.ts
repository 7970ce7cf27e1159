import { joinBytes } from "./_byte_source.ts";

/** What was taken out of a file. */
export interface Taken {
  readonly bytes: Uint8Array;
  readonly isAtStart: boolean;
  readonly lineNumber: number;
}

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;
const RETURN = 13;
const NOTHING = new Uint8Array();
/** `Deno.SeekMode.Current`. */
const SEEK_CURRENT = 1;

/** What reads a file piece by piece, and ahead: each step is a turn of its own. */
export class FileReader {
  readonly #maxLineBytes: number;
  /** What was read ahead; the system's position is behind it. */
  #ahead: Uint8Array = NOTHING;
  #lineNumber = 0;
  isAtStart = true;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The caller has gone to another place. */
  restartAt(place: number): void {
    this.isAtStart = place === 0;
    this.#lineNumber = 0;
  }

  /** Takes out what `read` gives, and tells from where it is. */
  async take(read: () => Promise<Uint8Array>): Promise<Taken> {
    const { isAtStart } = this;
    const bytes = await read();
    this.isAtStart &&= bytes.length === 0;
    if (bytes.length > 0) this.#lineNumber++;
    return { bytes, isAtStart, lineNumber: this.#lineNumber };
  }

  /** Puts back what was taken last. */
  putBack({ bytes, isAtStart }: Taken): void {
    if (bytes.length === 0) return;
    this.#ahead = joinBytes([bytes, this.#ahead]);
    this.isAtStart = isAtStart;
    this.#lineNumber--;
  }

  async readUpTo(
    native: Deno.FsFile,
    maxBytes: number,
  ): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let left = maxBytes; left > 0;) {
      if (this.#ahead.length === 0 && !await this.#readAhead(native, left)) {
        break;
      }
      const part = this.#ahead.subarray(0, left);
      this.#ahead = this.#ahead.subarray(part.length);
      parts.push(part);
      left -= part.length;
    }
    return joinBytes(parts);
  }

  async readToNewline(native: Deno.FsFile): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let hasEnd = false; !hasEnd;) {
      if (this.#ahead.length === 0 && !await this.#readAhead(native)) break;
      const newline = this.#ahead.indexOf(NEWLINE);
      hasEnd = newline !== -1;
      const part = this.#ahead.subarray(0, hasEnd ? newline + 1 : undefined);
      this.#ahead = this.#ahead.subarray(part.length);
      parts.push(part);
      size += part.length;
      // The end may have two bytes: what is longer is refused by the caller.
      if (size > this.#maxLineBytes + 2) break;
    }
    return joinBytes(parts);
  }

  async #readAhead(
    native: Deno.FsFile,
    maxBytes = CHUNK_BYTES,
  ): Promise<boolean> {
    const room = Math.min(Math.max(maxBytes, 1), CHUNK_BYTES);
    const buffer = new Uint8Array(room);
    const count = await native.read(buffer);
    if (count === null) return false;
    this.#ahead = buffer.subarray(0, count);
    return true;
  }

  /** Goes back to where the caller is. */
  async dropAhead(native: Deno.FsFile): Promise<void> {
    const { length } = this.#ahead;
    if (length === 0) return;
    this.#ahead = NOTHING;
    await native.seek(-length, SEEK_CURRENT);
  }
}

/** Where the text of a line ends. */
export function endOfLine(bytes: Uint8Array): number {
  const last = bytes.length - 1;
  if (bytes[last] !== NEWLINE) return bytes.length;
  return bytes[last - 1] === RETURN ? last - 1 : last;
}
