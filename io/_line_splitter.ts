import { joinBytes } from "./_byte_source.ts";

/** Thrown if a line is longer than the limit. */
export class LineTooLongError extends RangeError {
  static {
    this.prototype.name = "LineTooLongError";
  }
  /** The number of the line, from 1. */
  readonly lineNumber: number;
  /** How many bytes a line may have. */
  readonly maxLineBytes: number;

  /** Creates the error for a line. */
  constructor(lineNumber: number, maxLineBytes: number) {
    super(
      `Cannot read line ${lineNumber}: it has more than ${maxLineBytes} bytes`,
    );
    this.lineNumber = lineNumber;
    this.maxLineBytes = maxLineBytes;
  }
}

/** Thrown if a line is no valid UTF-8. */
export class InvalidTextError extends TypeError {
  static {
    this.prototype.name = "InvalidTextError";
  }
  /** The number of the line, from 1; `undefined` if it is not known. */
  readonly lineNumber: number | undefined;

  /** Creates the error for a line. */
  constructor(lineNumber: number | undefined, options: ErrorOptions = {}) {
    const what = lineNumber === undefined ? "the text" : `line ${lineNumber}`;
    super(`Cannot read ${what}: it is no valid UTF-8`, options);
    this.lineNumber = lineNumber;
  }
}

/** What text must be like. */
export interface LineRules {
  readonly maxLineBytes: number;
  readonly fatal: boolean;
}

/** Lines, and what is wrong with the one after them. */
export interface SplitLines {
  readonly lines: readonly string[];
  readonly fault?: { readonly error: unknown };
}

const NEWLINE = 10;
const RETURN = 13;
/** What stands for bytes that are no UTF-8; a text may have it by itself, too. */
const INVALID = "\uFFFD";
const LENIENT = decoderOf({ fatal: false });
const NONE: SplitLines = { lines: [] };

/**
 * Cuts bytes into lines.
 *
 * A newline is a byte of its own in UTF-8: whatever lies between two can be decoded
 * alone, and what lies between the first and the last of a chunk, at once.
 */
export class LineSplitter {
  readonly #rules: LineRules;
  readonly #decoder: TextDecoder;
  /** The beginning of a line whose end has not come. */
  #carry: Uint8Array[] = [];
  #carryBytes = 0;
  #lineNumber = 0;

  constructor(rules: LineRules) {
    this.#rules = rules;
    this.#decoder = decoderOf(rules);
  }

  /** Takes bytes, which may change afterwards, and gives the lines that end in them. */
  push(chunk: Uint8Array): SplitLines {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last === -1) return this.#keep(chunk, NONE);
    const block = this.#joined(chunk.subarray(0, last));
    const split = this.#split(block);
    if (split.fault !== undefined) return split;
    return this.#keep(chunk.subarray(last + 1), split);
  }

  /** Gives the last line, if it has no end. */
  end(): SplitLines {
    if (this.#carryBytes === 0) return NONE;
    return this.#split(this.#joined(new Uint8Array()), { isLast: true });
  }

  #joined(end: Uint8Array): Uint8Array {
    if (this.#carryBytes === 0) return end;
    const joined = joinBytes([...this.#carry, end]);
    this.#carry = [];
    this.#carryBytes = 0;
    return joined;
  }

  #keep(rest: Uint8Array, split: SplitLines): SplitLines {
    if (rest.length === 0) return split;
    this.#carry.push(rest.slice());
    this.#carryBytes += rest.length;
    // The last byte may be a part of the end.
    if (this.#carryBytes <= this.#rules.maxLineBytes + 1) return split;
    return { lines: split.lines, fault: { error: this.#tooLong() } };
  }

  #split(block: Uint8Array, options: { isLast?: boolean } = {}): SplitLines {
    const { isLast = false } = options;
    if (block.length > this.#rules.maxLineBytes || isLast) {
      return this.#splitOneByOne(block, isLast);
    }
    // To decode without checks, and to look for the sign of what is invalid, is
    // twice as fast as to let the decoder refuse it.
    const text = LENIENT.decode(block);
    if (this.#rules.fatal && text.includes(INVALID)) {
      return this.#splitOneByOne(block, isLast);
    }
    const lines = text.split("\n");
    if (text.includes("\r")) {
      for (const [i, line] of lines.entries()) {
        if (line.endsWith("\r")) lines[i] = line.slice(0, -1);
      }
    }
    if (this.#lineNumber === 0) lines[0] = withoutMark(lines[0] ?? "");
    this.#lineNumber += lines.length;
    return { lines };
  }

  #splitOneByOne(block: Uint8Array, isLast: boolean): SplitLines {
    const lines: string[] = [];
    for (let start = 0; start <= block.length;) {
      const newline = block.indexOf(NEWLINE, start);
      const next = newline === -1 ? block.length : newline;
      const hasReturn = !isLast && next > start && block[next - 1] === RETURN;
      const end = hasReturn ? next - 1 : next;
      if (end - start > this.#rules.maxLineBytes) {
        return { lines, fault: { error: this.#tooLong() } };
      }
      try {
        const line = this.#decoder.decode(block.subarray(start, end));
        lines.push(this.#lineNumber === 0 ? withoutMark(line) : line);
      } catch (cause) {
        const error = new InvalidTextError(this.#lineNumber + 1, { cause });
        return { lines, fault: { error } };
      }
      this.#lineNumber++;
      start = next + 1;
    }
    return { lines };
  }

  #tooLong(): LineTooLongError {
    return new LineTooLongError(
      this.#lineNumber + 1,
      this.#rules.maxLineBytes,
    );
  }
}

/** A decoder that leaves a mark of the byte order alone: it may be text. */
export function decoderOf({ fatal }: { fatal: boolean }): TextDecoder {
  return new TextDecoder("utf-8", { fatal, ignoreBOM: true });
}

/** Text without the mark of the byte order that some editors put first. */
export function withoutMark(text: string): string {
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}
