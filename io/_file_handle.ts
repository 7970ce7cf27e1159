import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { listen } from "../_internal/signal.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { bind } from "../primitives/detach.ts";
import { currentSignal } from "../primitives/scope.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { FileClosedError, fileErrorOf } from "./_file_errors.ts";

/** Something to do with a file. */
export interface FileStep<T> {
  /** What it is, as in "Cannot read". */
  readonly doing: string;
  readonly signal?: AbortSignal | undefined;
  readonly fn: (native: Deno.FsFile) => Promise<T>;
  /** Gets what would be lost if the waiter goes while it is done. */
  readonly undo?: (value: T, native: Deno.FsFile) => unknown;
  /** Says that closing must not cut it short. */
  readonly isWrite?: boolean;
}

/** A file of the platform: what is done with it, one after the other. */
export class FileHandle {
  readonly path: string;
  readonly #native: Deno.FsFile;
  readonly #unlisten: () => void;
  /** The end of what was asked last. It never rejects. */
  #tail: Promise<void> = Promise.resolve();
  #isWriting = false;
  #closing: Promise<void> | undefined;

  /** Takes over a file, and closes it at the latest with the present scope. */
  constructor(native: Deno.FsFile, path: string) {
    this.path = path;
    this.#native = native;
    const signal = currentSignal();
    // A listener runs in the context of whoever cancels.
    const close = bind(() => {
      // Why it was not closed well is reported, or told to who closes it, too.
      this.close().catch(() => {});
    });
    this.#unlisten = signal.aborted ? () => {} : listen(signal, close);
    if (signal.aborted) close();
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Does something when its turn has come, unless its waiter has gone by then. */
  async run<T>(step: FileStep<T>): Promise<T> {
    const { doing, signal } = step;
    await refusal(currentFrame(), `${doing} a file`, signal);
    this.#checkOpen(doing);
    const waiter = { isThere: true };
    const turn = this.#take(step, this.#tail, waiter);
    this.#tail = turn.then(() => {}, () => {});
    try {
      return await abortable(turn, signal === undefined ? {} : { signal });
    } catch (error) {
      waiter.isThere = false;
      if (this.closed && isOfClosing(error)) throw this.#closedFault(doing);
      throw fileErrorOf(error, doing, this.path);
    }
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #take<T>(
    { doing, signal, fn, undo, isWrite = false }: FileStep<T>,
    previous: Promise<void>,
    waiter: { readonly isThere: boolean },
  ): Promise<T> {
    await previous;
    throwIfCancelled();
    signal?.throwIfAborted();
    this.#checkOpen(doing);
    this.#isWriting = isWrite;
    try {
      const value = await fn(this.#native);
      if (!waiter.isThere && !this.closed) await undo?.(value, this.#native);
      return value;
    } finally {
      this.#isWriting = false;
    }
  }

  async #close(): Promise<void> {
    this.#unlisten();
    try {
      if (this.#isWriting) {
        await uncancellable(() => abortable(this.#tail), {
          name: `a write to ${this.path}`,
        });
      }
    } finally {
      this.#native.close();
    }
  }

  #checkOpen(doing: string): void {
    if (this.closed) throw this.#closedFault(doing);
  }

  #closedFault(doing: string): FileClosedError {
    const path = JSON.stringify(this.path);
    return new FileClosedError(`Cannot ${doing} ${path}: it was closed`, {
      path: this.path,
    });
  }
}

/** What the system says of a file that was closed under a call. */
function isOfClosing(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted;
}
