/**
 * The lines of files and streams, however long they are.
 *
 * It needs the permission `read` for a file that is given by its path.
 *
 * ```ts ignore
 * import { lines } from "@ilmek/async/lines";
 *
 * for await (const line of lines("access.log")) {
 *   if (line.includes(" 500 ")) console.log(line);
 * }
 * ```
 *
 * @module
 */
import { checkCount } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Once } from "../_internal/once.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal, listen } from "../_internal/signal.ts";
import { bind } from "../primitives/detach.ts";
import { currentSignal } from "../primitives/scope.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { type Bytes, type LineSource, sourceOf } from "./_line_source.ts";
import { LineSplitter, type SplitLines } from "./_line_splitter.ts";

export type { Bytes } from "./_line_source.ts";
export { InvalidTextError, LineTooLongError } from "./_line_splitter.ts";

/** Options of {@linkcode lines}. */
export interface LinesOptions {
  /**
   * How many bytes a line may have, without its end. That is how much is held in
   * memory if no end comes.
   *
   * @default {16_777_216, which is 16 MiB}
   */
  maxLineBytes?: number;
  /**
   * Whether text that is no valid UTF-8 is an error; otherwise U+FFFD stands for it.
   *
   * @default {true}
   */
  fatal?: boolean;
  /** Ends the reading when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Lines, read as they are asked for. */
export interface Lines extends AsyncIterableIterator<string>, AsyncDisposable {
  /** The number of the line that was given last, from 1; 0 before the first. */
  readonly lineNumber: number;
  /** Gives the next line. Several calls at once are answered in their order. */
  next(): Promise<IteratorResult<string, undefined>>;
  /** Ends the reading, and closes what was opened. `break` calls it. */
  return(): Promise<IteratorResult<string, undefined>>;
  /** Gives itself. */
  [Symbol.asyncIterator](): Lines;
  /** Ends the reading. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Gives the lines of a file, a stream or an iterable of bytes.
 *
 * A line ends with `\n` or `\r\n`, which do not belong to it. Blank lines count, and
 * so does what comes after the last end. A mark of the byte order is left out.
 *
 * A path is opened at the first line. The reading ends with the last line, with
 * `break`, with an error, and with the scope of the first `next`, if that is
 * cancelled: then the file is closed, the stream is cancelled, and the iterator is
 * returned. An `AsyncFile` stays open, and is read ahead. A step of an iterator is
 * cancelled, too; one that does not end is left after 5 s, and reported. Lines that
 * come before an error are given before it.
 *
 * @param source A path, a URL of a file, an `AsyncFile`, a stream or an iterable.
 * @param options Additional options.
 * @returns The lines. Their `next` throws a {@linkcode LineTooLongError}, an
 * {@linkcode InvalidTextError}, what the source throws, or the `CancelledError` of
 * the ambient scope; with each of them the reading has ended.
 * @throws {TypeError} If `source` is none of these.
 * @throws {RangeError} If `options.maxLineBytes` is not an integer >= 1.
 *
 * @example Read lines of a stream
 * ```ts
 * import { lines } from "@ilmek/async/lines";
 * import { assertEquals } from "@std/assert";
 *
 * const body = new Response("one\r\n\nthree").body ?? [];
 * const read: string[] = [];
 * for await (const line of lines(body)) read.push(line);
 *
 * assertEquals(read, ["one", "", "three"]);
 * ```
 */
export function lines(source: Bytes, options: LinesOptions = {}): Lines {
  const { maxLineBytes = 16 * 1024 * 1024, fatal = true, signal } = options;
  checkCount(maxLineBytes, "read lines", "maxLineBytes");
  return new SourceLines(
    sourceOf(source, "read lines"),
    new LineSplitter({ maxLineBytes, fatal }),
    signal,
  );
}

const OVER: IteratorReturnResult<undefined> = { done: true, value: undefined };

class SourceLines implements Lines {
  readonly #source: LineSource;
  readonly #splitter: LineSplitter;
  readonly #signal: AbortSignal | undefined;
  /** Lines that are there, from `#at` on. */
  #lines: readonly string[] = [];
  #at = 0;
  /** What comes after them. */
  #fault: { readonly error: unknown } | undefined;
  #isAtEnd = false;
  #given = 0;
  /** Those who wait until more was read. */
  readonly #waiters = new ClaimList();
  #isReading = false;
  #unlisten: (() => void) | undefined;
  readonly #closing = new Once<void>("a source of lines that is being closed");

  constructor(
    source: LineSource,
    splitter: LineSplitter,
    signal: AbortSignal | undefined,
  ) {
    this.#source = source;
    this.#splitter = splitter;
    this.#signal = signal;
  }

  get lineNumber(): number {
    return this.#given;
  }

  next(): Promise<IteratorResult<string, undefined>> {
    const frame = currentFrame();
    const refused = refusal(frame, "read a line", this.#signal);
    if (refused !== undefined) return this.#endWith(refused);
    const value = this.#lines[this.#at];
    if (value === undefined) return this.#nextOfMore();
    this.#at++;
    this.#given++;
    return frame.loop.pass(Promise.resolve({ done: false, value }), frame);
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    await this.#end();
    return OVER;
  }

  [Symbol.asyncIterator](): Lines {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #nextOfMore(): Promise<IteratorResult<string, undefined>> {
    for (;;) {
      const value = this.#lines[this.#at];
      if (value !== undefined) {
        this.#at++;
        this.#given++;
        return { done: false, value };
      }
      const fault = this.#fault;
      if (fault !== undefined) {
        this.#fault = undefined;
        return await this.#endWith(Promise.reject(fault.error));
      }
      if (this.#isAtEnd) {
        await this.#end();
        return OVER;
      }
      try {
        await this.#more();
      } catch (error) {
        return await this.#endWith(Promise.reject(error));
      }
    }
  }

  /** Waits until more was read, once for all who wait. */
  #more(): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, "read a line", this.#signal);
    if (refused !== undefined) return refused;
    const claim = new Claim<void>(frame, "a line");
    this.#waiters.push(claim as Claim);
    linkSignal(claim as Claim, this.#signal);
    if (!this.#isReading) this.#read(frame.loop);
    return claim.wait();
  }

  /** Reads a chunk. It never rejects. */
  async #read(loop: EventLoop): Promise<void> {
    this.#isReading = true;
    this.#unlisten ??= this.#listen();
    const release = this.#source.isOutside ? loop.hold("a line") : undefined;
    try {
      const chunk = await this.#source.read();
      const split = chunk === undefined
        ? this.#splitter.end()
        : this.#splitter.push(chunk);
      this.#take(split, { isLast: chunk === undefined });
    } catch (error) {
      this.#take({ lines: [], fault: { error } }, { isLast: true });
    } finally {
      release?.();
      this.#isReading = false;
      this.#wake();
    }
  }

  /** Ends with the scope of the first step, though nobody may ask for more. */
  #listen(): () => void {
    // A listener runs in the context of whoever cancels.
    const end = bind(() => void this.#end().catch(() => {}));
    return listen(currentSignal(), end);
  }

  #wake(): void {
    for (let c = this.#waiters.shift(); c; c = this.#waiters.shift()) {
      c.grant(undefined);
    }
  }

  #take(
    { lines, fault }: SplitLines,
    { isLast }: { isLast: boolean },
  ): void {
    if (this.#isAtEnd) return;
    this.#lines = lines;
    this.#at = 0;
    this.#fault = fault;
    this.#isAtEnd = isLast || fault !== undefined;
  }

  async #endWith(failed: Promise<never>): Promise<never> {
    failed.catch(() => {});
    // What the source says of its end does not hide why it came.
    await this.#end().catch(() => {});
    return await failed;
  }

  async #end(): Promise<void> {
    this.#isAtEnd = true;
    this.#lines = [];
    this.#fault = undefined;
    // Who waits for more learns that it is over, though the source may hang.
    this.#wake();
    this.#unlisten?.();
    if (!this.#closing.begun) {
      return await this.#closing.begin(() => this.#source.close());
    }
    // Who began is told what came of it.
    await uncancellable(() => this.#closing.join().catch(() => {}));
  }
}
