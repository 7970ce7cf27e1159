/**
 * Files, as text and as bytes, that close with the scope in which they were opened.
 *
 * It needs the permission `read` or `write` for the file, as the mode says.
 *
 * ```ts ignore
 * import { openFile } from "@ilmek/async/file";
 *
 * await using file = await openFile("notes.txt", "a+");
 * await file.write("one more line\n");
 * await file.seek(0);
 * for await (const line of file) console.log(line);
 * ```
 *
 * @module
 */
import { checkCount, show, toMs } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { abortable } from "../primitives/checkpoint.ts";
import { sleep } from "../primitives/sleep.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { fileErrorOf } from "./_file_errors.ts";
import { FileHandle } from "./_file_handle.ts";
import { FileLocks } from "./_file_locks.ts";
import { endOfLine, FileReader, type Taken } from "./_file_reader.ts";
import type {
  AsyncFileOptions,
  FileLock,
  FileLockOptions,
  FileMode,
  FileSeekOptions,
  FileWaitOptions,
  OpenFileOptions,
} from "./_file_types.ts";
import {
  decoderOf,
  InvalidTextError,
  LineTooLongError,
  withoutMark,
} from "./_line_splitter.ts";

export type { Duration } from "../_internal/check.ts";
export {
  DiskFullError,
  FileAccessError,
  FileClosedError,
  FileError,
  type FileErrorOptions,
  FileExistsError,
  FileKindError,
  FileNotFoundError,
} from "./_file_errors.ts";
export type {
  AsyncFileOptions,
  FileLock,
  FileLockOptions,
  FileMode,
  FileSeekOptions,
  FileWaitOptions,
  OpenFileOptions,
} from "./_file_types.ts";
export { InvalidTextError, LineTooLongError } from "./_line_splitter.ts";

const MAX_LINE_BYTES = 16 * 1024 * 1024;

const MODES: { readonly [mode in FileMode]: Deno.OpenOptions } = {
  "r": { read: true },
  "r+": { read: true, write: true },
  "w": { write: true, create: true, truncate: true },
  "w+": { read: true, write: true, create: true, truncate: true },
  "a": { append: true, create: true },
  "a+": { read: true, append: true, create: true },
  "x": { write: true, createNew: true },
  "x+": { read: true, write: true, createNew: true },
};

/** `Deno.SeekMode`, which is not there where the module is only imported. */
const SEEK_MODES = { start: 0, current: 1, end: 2 } as const;

/**
 * Opens a file.
 *
 * When the scope in which it is opened is cancelled, the file is closed.
 *
 * @param path The path, or a URL of a file.
 * @param mode How it is opened.
 * @param options Additional options.
 * @returns The file, to be closed by the caller.
 * @throws {FileNotFoundError} If it is not there, and the mode does not make it.
 * @throws {FileExistsError} If it is there, and the mode makes a new one.
 * @throws {FileAccessError} If the system does not allow it.
 * @throws {FileKindError} If it is a folder.
 * @throws {RangeError} If `mode` is none, or a number is out of range.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Write lines, and read them
 * ```ts
 * import { openFile } from "@ilmek/async/file";
 * import { makeTempDir } from "@ilmek/async/temp";
 * import { assertEquals } from "@std/assert";
 *
 * await using folder = await makeTempDir();
 * await using file = await openFile(`${folder.path}/notes.txt`, "w+");
 * await file.write("first\nsecond\n");
 * await file.seek(0);
 *
 * assertEquals(await file.readLine(), "first");
 * assertEquals(await file.read(), "second\n");
 * ```
 */
export async function openFile(
  path: string | URL,
  mode: FileMode = "r",
  options: OpenFileOptions = {},
): Promise<AsyncFile> {
  const { permissions, signal } = options;
  const { fatal = true, maxLineBytes = MAX_LINE_BYTES } = options;
  checkMode(mode);
  checkCount(maxLineBytes, "open a file", "maxLineBytes");
  await refusal(currentFrame(), "open a file", signal);
  const opening = Deno.open(path, {
    ...MODES[mode],
    ...(permissions === undefined || mode[0] === "r"
      ? {}
      : { mode: permissions }),
  });
  try {
    const native = await abortable(opening, waitOptions(signal));
    return new AsyncFile(native, { path, fatal, maxLineBytes });
  } catch (error) {
    // Nobody waits any more: what is opened late is closed.
    opening.then((native) => native.close(), () => {});
    throw fileErrorOf(error, "open", String(path));
  }
}

/**
 * An open file.
 *
 * What it is asked to do is done one after the other, in the order of the calls. A
 * wait that is cancelled before its turn has no effect; a read or a write that is
 * under way by then is finished by the system, and its outcome dropped.
 *
 * @example Let only one process write
 * ```ts
 * import { openFile } from "@ilmek/async/file";
 * import { makeTempDir } from "@ilmek/async/temp";
 * import { assertEquals } from "@std/assert";
 *
 * await using folder = await makeTempDir();
 * await using file = await openFile(`${folder.path}/journal`, "a+");
 * {
 *   await using _lock = await file.lock();
 *   await file.write("entry\n");
 * }
 * await file.seek(0);
 *
 * assertEquals(await file.read(), "entry\n");
 * ```
 */
export class AsyncFile implements AsyncIterable<string>, AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #decoder: TextDecoder;
  readonly #maxLineBytes: number;
  readonly #locks = new FileLocks();
  readonly #reader: FileReader;

  /** Takes over a file of the platform, and closes it in the end. */
  constructor(native: Deno.FsFile, options: AsyncFileOptions = {}) {
    const { path = "a file", fatal = true } = options;
    const { maxLineBytes = MAX_LINE_BYTES } = options;
    checkCount(maxLineBytes, "create a file", "maxLineBytes");
    this.#handle = new FileHandle(native, String(path));
    this.#decoder = decoderOf({ fatal });
    this.#maxLineBytes = maxLineBytes;
    this.#reader = new FileReader(maxLineBytes);
  }

  /** The path. */
  get path(): string {
    return this.#handle.path;
  }

  /** Whether the file was closed. */
  get closed(): boolean {
    return this.#handle.closed;
  }

  /**
   * Reads the rest as text.
   *
   * @param options Additional options.
   * @returns The text; empty at the end.
   * @throws {InvalidTextError} If it is no valid UTF-8.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async read(options: FileWaitOptions = {}): Promise<string> {
    const { bytes, isAtStart } = await this.#take(
      options,
      (native) => this.#reader.readUpTo(native, Infinity),
    );
    try {
      const text = this.#decoder.decode(bytes);
      return isAtStart ? withoutMark(text) : text;
    } catch (cause) {
      throw new InvalidTextError(undefined, { cause });
    }
  }

  /**
   * Reads bytes.
   *
   * @param maxBytes How many at most; fewer come only at the end.
   * @param options Additional options.
   * @returns The bytes; none at the end.
   * @throws {RangeError} If `maxBytes` is not an integer >= 0.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async readBytes(
    maxBytes: number = Infinity,
    options: FileWaitOptions = {},
  ): Promise<Uint8Array> {
    checkCount(maxBytes, "read bytes", "maxBytes", 0);
    const { bytes } = await this.#take(
      options,
      (native) => this.#reader.readUpTo(native, maxBytes),
    );
    return bytes;
  }

  /**
   * Reads a line.
   *
   * @param options Additional options.
   * @returns The line without its end, or `undefined` at the end of the file.
   * @throws {LineTooLongError} If the line is longer than the limit.
   * @throws {InvalidTextError} If it is no valid UTF-8.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async readLine(options: FileWaitOptions = {}): Promise<string | undefined> {
    const { bytes, isAtStart, lineNumber } = await this.#take(
      options,
      (native) => this.#reader.readToNewline(native),
    );
    if (bytes.length === 0) return undefined;
    const end = endOfLine(bytes);
    if (end > this.#maxLineBytes) {
      throw new LineTooLongError(lineNumber, this.#maxLineBytes);
    }
    try {
      const line = this.#decoder.decode(bytes.subarray(0, end));
      return isAtStart ? withoutMark(line) : line;
    } catch (cause) {
      throw new InvalidTextError(lineNumber, { cause });
    }
  }

  /**
   * Writes text or bytes, all of them.
   *
   * @param data What to write; it must not change until it is written.
   * @param options Additional options.
   * @returns How many bytes were written.
   * @throws {TypeError} If `data` is neither text nor bytes.
   * @throws {DiskFullError} If there is no room; a part may be written by then.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async write(
    data: string | Uint8Array,
    options: FileWaitOptions = {},
  ): Promise<number> {
    const bytes = bytesOf(data);
    return await this.#run("write", options, async (native) => {
      await this.#reader.dropAhead(native);
      for (let at = 0; at < bytes.length;) {
        at += await native.write(bytes.subarray(at));
      }
      if (bytes.length > 0) this.#reader.isAtStart = false;
      return bytes.length;
    });
  }

  /**
   * Moves to another place.
   *
   * @param offset How many bytes.
   * @param options Additional options.
   * @returns The new place, from the start.
   * @throws {RangeError} If `offset` is not an integer.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async seek(offset: number, options: FileSeekOptions = {}): Promise<number> {
    const { from = "start" } = options;
    if (!Number.isSafeInteger(offset)) {
      throw new RangeError(
        `Cannot seek as "offset" must be an integer: current value is ${
          show(offset)
        }`,
      );
    }
    if (!Object.hasOwn(SEEK_MODES, from)) {
      throw new RangeError(
        `Cannot seek as "from" must be "start", "current" or "end": current value is ${
          show(from)
        }`,
      );
    }
    return await this.#run("seek in", options, async (native) => {
      await this.#reader.dropAhead(native);
      const place = await native.seek(offset, SEEK_MODES[from]);
      this.#reader.restartAt(place);
      return place;
    });
  }

  /**
   * Cuts the file, or fills it up with zeros.
   *
   * @param size How many bytes it shall have; without it, up to where one is.
   * @param options Additional options.
   * @throws {RangeError} If `size` is not an integer >= 0.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async truncate(size?: number, options: FileWaitOptions = {}): Promise<void> {
    if (size !== undefined) checkCount(size, "truncate a file", "size", 0);
    await this.#run("truncate", options, async (native) => {
      await this.#reader.dropAhead(native);
      const end = size ?? await native.seek(0, SEEK_MODES.current);
      await native.truncate(end);
    });
  }

  /**
   * Waits until what was written is on the disk.
   *
   * @param options Additional options.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async sync(options: FileWaitOptions = {}): Promise<void> {
    await this.#run("write", options, (native) => native.sync());
  }

  /**
   * Tells what the system knows about the file.
   *
   * @param options Additional options.
   * @returns Its size, its times and more.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async stat(options: FileWaitOptions = {}): Promise<Deno.FileInfo> {
    return await this.#run("look at", options, (native) => native.stat());
  }

  /**
   * Waits for a lock, which counts between processes, between files that were
   * opened twice, and between those who use this one. Who waits longest does not
   * come first: the system has no line.
   *
   * @param options Additional options.
   * @returns The lock, to be given back. It ends with the file.
   * @throws {RangeError} If `options.pollMs` is negative or not a number.
   * @throws {FileClosedError} If the file was closed, also while it waits.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async lock(options: FileLockOptions = {}): Promise<FileLock> {
    const { pollMs = 20, signal } = options;
    const ms = toMs(pollMs, "lock a file", "pollMs");
    for (;;) {
      const lock = await this.tryLock(options);
      if (lock !== undefined) return lock;
      // A call that waits inside of the system could not be cancelled.
      await sleep(ms, waitOptions(signal));
    }
  }

  /**
   * Takes a lock, if no other has one.
   *
   * @param options Additional options.
   * @returns The lock, or `undefined` if another has one.
   * @throws {FileClosedError} If the file was closed.
   * @throws {FileError} If the system fails.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async tryLock(options: FileLockOptions = {}): Promise<FileLock | undefined> {
    const { exclusive = true } = options;
    const locked = await this.#handle.run({
      doing: "lock",
      signal: options.signal,
      fn: (native) => this.#locks.take(native, exclusive),
      undo: async (isLocked, native) => {
        if (isLocked) await this.#locks.give(native);
      },
    });
    return locked ? this.#held() : undefined;
  }

  /**
   * Closes the file. A write that is under way is finished before; what still waits
   * for its turn gets a `FileClosedError`. Closing twice does nothing.
   */
  close(): Promise<void> {
    return this.#handle.close();
  }

  /** Closes the file. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Gives the lines from here to the end, without their ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for (;;) {
      const line = await this.readLine();
      if (line === undefined) return;
      yield line;
    }
  }

  /** Does what closing must not cut short. */
  #run<T>(
    doing: string,
    { signal }: FileWaitOptions,
    fn: (native: Deno.FsFile) => Promise<T>,
  ): Promise<T> {
    return this.#handle.run({ doing, signal, fn, isWrite: true });
  }

  /** Takes bytes out, and puts them back if nobody waits for them any more. */
  #take(
    { signal }: FileWaitOptions,
    read: (native: Deno.FsFile) => Promise<Uint8Array>,
  ): Promise<Taken> {
    return this.#handle.run({
      doing: "read",
      signal,
      fn: (native) => this.#reader.take(() => read(native)),
      undo: (taken) => this.#reader.putBack(taken),
    });
  }

  #held(): FileLock {
    let unlocking: Promise<void> | undefined;
    const unlock = (): Promise<void> => unlocking ??= this.#unlock();
    return { unlock, [Symbol.asyncDispose]: unlock };
  }

  async #unlock(): Promise<void> {
    await uncancellable(async () => {
      // With the file the lock is gone.
      if (this.closed) return;
      await this.#run("unlock", {}, (native) => this.#locks.give(native));
    });
  }
}

function checkMode(mode: FileMode): void {
  if (Object.hasOwn(MODES, mode)) return;
  throw new RangeError(
    `Cannot open a file as "mode" must be one of ${
      Object.keys(MODES).map((name) => JSON.stringify(name)).join(", ")
    }: current value is ${show(mode)}`,
  );
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof Uint8Array) return data;
  throw new TypeError(
    `Cannot write as "data" must be a string or a Uint8Array: current value is ${
      show(data)
    }`,
  );
}

function waitOptions(signal: AbortSignal | undefined): FileWaitOptions {
  return signal === undefined ? {} : { signal };
}
