import { isThenable } from "../_internal/check.ts";
import { currentFrame, runIn } from "../_internal/frame.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { withScopeOf } from "../_internal/spawn.ts";

/** One answer of a {@linkcode Pull}. */
export type Pulled<T = unknown> = IteratorResult<T, unknown>;

/**
 * What items are pulled from: an iterator that may answer at once or later.
 *
 * It is asked for one item at a time. When it has answered `done`, or thrown, it
 * has ended by itself; otherwise whoever pulls must end it by `return`.
 */
export interface Pull<T = unknown> {
  next(): Pulled<T> | PromiseLike<Pulled<T>>;
  return?(): unknown;
  /**
   * Asks for the end of a `next` that is under way, if that can be done. What has
   * this is ended by `return` also when it has thrown.
   */
  interrupt?(): void;
  /** Gives all items to a function that may be called in any context. */
  drain?(sink: (item: T) => void): Pulled | Promise<Pulled>;
  /** Set if `return` itself sees to it that it is not cancelled, nor stuck. */
  readonly isGuarded?: true;
}

/** Begins to pull from a source, each time anew. */
export type Opener<T = unknown> = () => Pull<T>;

/** What can be pulled from. */
export type PullSource =
  | Iterable<unknown>
  | AsyncIterable<unknown>
  | ReadableStream<unknown>;

/** How a source is treated. */
export interface PullSettings {
  /** How long a source that was asked to end may take, if it is stuck. */
  readonly graceMs: number;
}

/** What every iterator says at its end. */
export const DONE: IteratorReturnResult<undefined> = {
  done: true,
  value: undefined,
};

/** Whether an answer or an item comes later: asked for each, and quickly. */
export function isLater<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null &&
    typeof (value as PromiseLike<T>).then === "function";
}

/** Begins to pull from an iterable, or from a stream. */
export function openPull(source: PullSource): Pull {
  if (source instanceof ReadableStream) return new StreamPull(source);
  if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
  return source[Symbol.iterator]();
}

/** Ends what is pulled from, whatever is cancelled; if it must, it may wait. */
export function closePull(
  pull: Pull,
  { graceMs }: PullSettings,
): Promise<void> | undefined {
  if (pull.return === undefined) return undefined;
  if (pull.isGuarded) return pull.return() as Promise<void>;
  return close(pull, graceMs);
}

/**
 * Waits for `return` in a scope that hides cancellations. When its grace is over
 * the one who waits goes on, even if what is in there never ends.
 */
async function close(pull: Pull, graceMs: number): Promise<void> {
  const frame = currentFrame();
  const node = new ScopeNode(frame.loop, frame.scope, {
    name: "end of a source",
    graceMs,
  });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  node.onStruck = reject;
  try {
    const ended = runIn(withScopeOf(frame, node), () => pull.return?.());
    if (isThenable(ended)) {
      ended.then(resolve, reject);
      await promise;
    }
  } finally {
    node.exit();
  }
}

/** Ends a source from which nothing was pulled. */
export async function discard(
  open: Opener,
  settings: PullSettings,
): Promise<void> {
  await closePull(open(), settings);
}

/** Ends several things, all of them: what goes wrong is thrown at the end. */
export async function closeAll(
  closings: Iterable<() => unknown>,
): Promise<void> {
  const errors: unknown[] = [];
  await Promise.all(Array.from(closings, async (close) => {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }));
  throwAll(errors);
}

/** Throws a single error as it is, and several as one. */
export function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length === 0) return;
  throw new AggregateError(
    errors,
    `Cannot end all sources: ${errors.length} of them have failed`,
  );
}

/** Ends something because of another error, which is what the caller throws. */
export async function closeQuietly(closing: () => unknown): Promise<void> {
  const { loop, scope } = currentFrame();
  try {
    await closing();
  } catch (exception) {
    const { struck } = scope.live();
    if (struck !== undefined && exception === struck) return;
    loop.report({
      message: "Cannot end a source quietly: it fails",
      exception,
    });
  }
}

/** Pulls the chunks of a stream. A read that is under way can be ended. */
class StreamPull implements Pull {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  #failed = false;

  constructor(stream: ReadableStream<unknown>) {
    this.#reader = stream.getReader();
  }

  async next(): Promise<Pulled> {
    const { scope } = currentFrame();
    const live = scope.live();
    if (live.struck !== undefined) {
      this.interrupt();
      throw live.struck;
    }
    const node = new ScopeNode(scope.loop, live);
    node.onStruck = () => this.interrupt();
    try {
      const { done, value } = await this.#read();
      if (node.struck !== undefined) throw node.struck;
      if (!done) return { done, value };
      this.#reader.releaseLock();
      return DONE;
    } finally {
      node.exit();
    }
  }

  async return(): Promise<void> {
    if (this.#failed) return;
    await this.#reader.cancel();
    this.#reader.releaseLock();
  }

  interrupt(): void {
    this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<ReadableStreamReadResult<unknown>> {
    try {
      return await this.#reader.read();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }
}
