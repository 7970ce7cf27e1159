import { show } from "../_internal/check.ts";
import { getRunningLoop } from "../primitives/loop.ts";
import { type Scope, withScope } from "../primitives/scope.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { fileErrorOf } from "./_file_errors.ts";
import { AsyncFile } from "./file.ts";

/** Where bytes come from. */
export interface LineSource {
  /** Whether bytes come from outside: virtual time stands still meanwhile. */
  readonly isOutside: boolean;
  /** Gives the next bytes, which may change at the next call; nothing at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Ends it, also while it reads. */
  close(): Promise<void>;
}

/** What can be a source of bytes: a path, a file, a stream or an iterable. */
export type Bytes =
  | string
  | URL
  | AsyncFile
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Iterable<Uint8Array>;

/** How long a step of an iterator may take to end. */
const GRACE_MS = 5000;
/** How many bytes are read from a file at once. */
const CHUNK_BYTES = 128 * 1024;

/** Makes a source of whatever can be one. */
export function sourceOf(bytes: Bytes, doing: string): LineSource {
  if (typeof bytes === "string" || bytes instanceof URL) {
    return new PathSource(bytes);
  }
  if (bytes instanceof AsyncFile) return new FileSource(bytes);
  if (bytes instanceof ReadableStream) return new StreamSource(bytes);
  if (typeof bytes === "object" && bytes !== null) {
    if (Symbol.asyncIterator in bytes) {
      return new IteratorSource(bytes[Symbol.asyncIterator]());
    }
    if (Symbol.iterator in bytes && !ArrayBuffer.isView(bytes)) {
      return new IteratorSource(bytes[Symbol.iterator]());
    }
  }
  throw new TypeError(
    `Cannot ${doing} as "source" must be a path, a file, a stream or an iterable of bytes: current value is ${
      show(bytes)
    }`,
  );
}

/** A file that is opened at the first read, and closed in the end. */
class PathSource implements LineSource {
  readonly isOutside = true;
  readonly #path: string | URL;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #file: Deno.FsFile | undefined;
  #closed = false;

  constructor(path: string | URL) {
    this.#path = path;
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      this.#file ??= await Deno.open(this.#path);
      // Closed while it was opened.
      if (this.#closed) {
        this.#release();
        return undefined;
      }
      const count = await this.#file.read(this.#buffer);
      return count === null ? undefined : this.#buffer.subarray(0, count);
    } catch (error) {
      throw fileErrorOf(error, "read", String(this.#path));
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#release();
    return Promise.resolve();
  }

  #release(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** A file that is open, and stays so. */
class FileSource implements LineSource {
  readonly isOutside = false;
  readonly #file: AsyncFile;

  constructor(file: AsyncFile) {
    this.#file = file;
  }

  async read(): Promise<Uint8Array | undefined> {
    const bytes = await this.#file.readBytes(CHUNK_BYTES);
    return bytes.length === 0 ? undefined : bytes;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class StreamSource implements LineSource {
  readonly isOutside = true;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async read(): Promise<Uint8Array | undefined> {
    const { value } = await this.#reader.read();
    return value === undefined ? undefined : bytesOf(value);
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    this.#reader.releaseLock();
  }
}

class IteratorSource implements LineSource {
  readonly isOutside = false;
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  /** The scope of the step that is under way. */
  #step: Scope | undefined;
  #isOver = false;

  constructor(iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>) {
    this.#iterator = iterator;
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await withScope(async (scope) => {
        this.#step = scope;
        return await this.#iterator.next();
      });
      if (done !== true) return bytesOf(value);
      this.#isOver = true;
      return undefined;
    } catch (error) {
      this.#isOver = true;
      throw error;
    } finally {
      this.#step = undefined;
    }
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const step = this.#step;
    // `return` of a generator waits behind its step: that is to end as well.
    step?.cancel("nobody wants more lines");
    const closing = uncancellable(async () => {
      await this.#iterator.return?.();
    });
    if (step === undefined) return await closing;
    // What it throws is told by the step. A future does not hold the loop.
    const loop = getRunningLoop();
    const closed = loop.createFuture<void>();
    const settle = () => closed.done || closed.setResult();
    closing.then(settle, settle);
    const { timedOut } = await uncancellable(() =>
      moveOnAfter(GRACE_MS, () => closed)
    );
    if (!timedOut) return;
    loop.callExceptionHandler({
      message:
        `Cannot close the source of lines: its step has not ended for ${GRACE_MS} ms`,
    });
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(
    `Cannot read a chunk as it must be a Uint8Array: current value is ${
      show(chunk)
    }`,
  );
}
