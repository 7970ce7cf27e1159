/**
 * Many single requests made as few large ones.
 *
 * ```ts
 * import { Batcher } from "@ilmek/async/batcher";
 *
 * const users = new Batcher((ids: readonly number[]) =>
 *   Promise.resolve(ids.map((id) => `user ${id}`))
 * );
 * console.log(await Promise.all([users.load(1), users.load(2)]));
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import { linkSignal } from "../_internal/signal.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { Batch, type BatchOwner } from "./_batch.ts";
import { PolicyError } from "./policy.ts";

export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode Batcher}. */
export interface BatcherOptions<I> {
  /**
   * How many items a batch has at most.
   *
   * @default {100}
   */
  maxSize?: number;
  /**
   * How long a batch waits for more items, from its first one on. With `0` it takes
   * those that come before the next turn of the loop.
   *
   * @default {0}
   */
  maxWaitMs?: Duration;
  /**
   * How many batches are worked on at once.
   *
   * @default {1}
   */
  concurrency?: number;
  /**
   * How many items may wait for their batch to begin; more are refused.
   *
   * @default {10000}
   */
  capacity?: number;
  /**
   * What makes items the same: those of one batch that have the same key are asked
   * for once, and get the same result.
   */
  keyOf?: (item: I) => unknown;
  /**
   * Whether a batch that fails is tried again in halves, until the items that are at
   * fault stand alone.
   *
   * @default {false}
   */
  bisect?: boolean;
  /**
   * How reports call it.
   *
   * @default {"batcher"}
   */
  name?: string;
}

/** Options of {@linkcode Batcher.load}. */
export interface BatcherLoadOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What the function of a {@linkcode Batcher} receives besides the items. */
export interface BatcherCall {
  /** Fires when nobody waits for a result of the batch any more. */
  readonly signal: AbortSignal;
}

/** Thrown by {@linkcode Batcher.load} if too many items wait. */
export class BatcherFullError extends PolicyError {
  static {
    this.prototype.name = "BatcherFullError";
  }
}

/** Thrown by {@linkcode Batcher.load} if the batcher was closed. */
export class BatcherClosedError extends PolicyError {
  static {
    this.prototype.name = "BatcherClosedError";
  }
}

/** Thrown to all items of a batch whose function gave too few results or too many. */
export class BatchSizeError extends RangeError {
  static {
    this.prototype.name = "BatchSizeError";
  }
  /** How many items there were. */
  readonly items: number;
  /** How many results came. */
  readonly results: number;

  /** Creates the error of a batch of so many items, for so many results. */
  constructor(items: number, results: number) {
    super(
      `Cannot give the results of a batch: there must be one for each of ${items} items: current number is ${results}`,
    );
    this.items = items;
    this.results = results;
  }
}

const DONE: Promise<void> = Promise.resolve();

/**
 * Collects items, and works on them in batches.
 *
 * The function gets a list of items and gives a list of as many results, in the same
 * order; a result that is an `Error` is thrown to whoever asked for it. Batches run on
 * their own, in no caller's scope: a caller that is cancelled takes its item out of a
 * batch that has not begun, and the last one to leave a batch that has cancels it.
 *
 * @typeParam I The type of the items.
 * @typeParam O The type of the results.
 *
 * @example Load one by one, in one request
 * ```ts
 * import { Batcher } from "@ilmek/async/batcher";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const requests: (readonly number[])[] = [];
 * const users = new Batcher((ids: readonly number[]) => {
 *   requests.push(ids);
 *   return ids.map((id) => id > 0 ? `user ${id}` : new RangeError("no user"));
 * });
 * const [ada, bob] = await Promise.all([users.load(1), users.load(2)]);
 *
 * assertEquals([ada, bob], ["user 1", "user 2"]);
 * assertEquals(requests, [[1, 2]]);
 * await assertRejects(() => users.load(-1), RangeError, "no user");
 * ```
 */
export class Batcher<I, O> implements AsyncDisposable {
  readonly #fn: (
    items: readonly I[],
    call: BatcherCall,
  ) => Iterable<O | Error> | PromiseLike<Iterable<O | Error>>;
  readonly #maxSize: number;
  readonly #maxWaitMs: number;
  readonly #concurrency: number;
  readonly #capacity: number;
  readonly #keyOf: ((item: I) => unknown) | undefined;
  readonly #name: string;
  readonly #owner: BatchOwner<I, O>;
  /** The batch that takes items. */
  #open: Batch<I, O> | undefined;
  /** Full batches that wait for their turn. Those that were emptied are skipped. */
  readonly #line = new Ring<Batch<I, O>>();
  readonly #running = new Set<Batch<I, O>>();
  readonly #joiners = new ClaimList();
  #queued = 0;
  #closed = false;

  /** Creates a batcher of `fn`. */
  constructor(
    fn: (
      items: readonly I[],
      call: BatcherCall,
    ) => Iterable<O | Error> | PromiseLike<Iterable<O | Error>>,
    options: BatcherOptions<I> = {},
  ) {
    const doing = "create a batcher";
    const { maxSize = 100, maxWaitMs = 0, concurrency = 1 } = options;
    const { capacity = 10_000, keyOf, bisect = false, name = "batcher" } =
      options;
    checkFunction(fn, doing);
    if (keyOf !== undefined) checkFunction(keyOf, doing, "keyOf");
    this.#fn = fn;
    this.#maxSize = checkCount(maxSize, doing, "maxSize");
    this.#maxWaitMs = toMs(maxWaitMs, doing, "maxWaitMs");
    this.#concurrency = checkCount(concurrency, doing, "concurrency");
    this.#capacity = checkCount(capacity, doing, "capacity");
    this.#keyOf = keyOf;
    this.#name = name;
    this.#owner = {
      bisect,
      call: (items, batch) => this.#call(items, batch),
      left: (batch) => this.#onLeft(batch),
      ended: (batch) => this.#onEnded(batch),
    };
  }

  /** How many items wait for their batch to begin. */
  get queued(): number {
    return this.#queued;
  }

  /** How many batches are worked on. */
  get running(): number {
    return this.#running.size;
  }

  /** Whether the batcher was closed: it takes no more items. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Asks for the result of an item.
   *
   * @param item The item.
   * @param options Additional options.
   * @returns The result.
   * @throws The `Error` that is the result of the item, or what the function throws.
   * @throws {BatchSizeError} If the function gave too few results or too many.
   * @throws {BatcherFullError} If too many items wait.
   * @throws {BatcherClosedError} If the batcher was closed.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  load(item: I, options: BatcherLoadOptions = {}): Promise<O> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "load an item", signal);
    if (refused !== undefined) return refused;
    const fault = this.#fault();
    if (fault !== undefined) return Promise.reject(fault);
    let key: unknown;
    try {
      key = this.#keyOf?.(item);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#open !== undefined && this.#open.loop !== frame.loop) {
      this.flush();
    }
    const batch = this.#open ??= this.#begin();
    const before = batch.items.size;
    const promise = batch.add(item, key).join(frame, signal);
    this.#queued += batch.items.size - before;
    if (batch.items.size >= this.#maxSize) this.flush();
    return promise;
  }

  /** Lets the batch begin that takes items, however few it has. */
  flush(): void {
    const batch = this.#open;
    if (batch === undefined) return;
    this.#open = undefined;
    batch.timer?.cancel();
    batch.timer = undefined;
    this.#line.push(batch);
    this.#pump();
  }

  /** Takes no more items, and lets those that wait begin. Closing twice does nothing. */
  close(): void {
    this.#closed = true;
    this.flush();
  }

  /**
   * Waits until every item has its result.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  join(options: BatcherLoadOptions = {}): Promise<void> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "join a batcher", signal);
    if (refused !== undefined) return refused;
    if (this.#isIdle) return frame.loop.pass(DONE, frame);
    const claim = new Claim<void>(frame, {
      label: `the last batch of "${this.#name}"`,
    });
    this.#joiners.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /** Closes the batcher, and waits until every item has its result. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await uncancellable(() => this.join(), {
      name: `the end of "${this.#name}"`,
    });
  }

  get #isIdle(): boolean {
    return this.#open === undefined && this.#running.size === 0 &&
      this.#line.size === 0;
  }

  #begin(): Batch<I, O> {
    const { loop } = currentFrame();
    const batch = new Batch<I, O>(loop, `batch of ${this.#name}`, this.#owner);
    const flush = (): void => {
      batch.timer = undefined;
      if (this.#open === batch) this.flush();
    };
    if (this.#maxWaitMs === 0) {
      loop.turn({ kind: "turn", label: batch.label, run: flush });
    } else if (this.#maxWaitMs !== Infinity) {
      batch.timer = loop.timers.after(this.#maxWaitMs, {
        label: batch.label,
        expire: flush,
      });
    }
    return batch;
  }

  #pump(): void {
    while (this.#running.size < this.#concurrency) {
      const batch = this.#line.shift();
      if (batch === undefined) break;
      if (batch.items.size === 0) continue;
      this.#queued -= batch.items.size;
      this.#running.add(batch);
      batch.run();
    }
    if (!this.#isIdle) return;
    for (let c = this.#joiners.shift(); c; c = this.#joiners.shift()) {
      c.grant(undefined);
    }
  }

  #onLeft(batch: Batch<I, O>): void {
    this.#queued--;
    if (batch.items.size > 0) return;
    if (this.#open === batch) {
      this.#open = undefined;
      batch.timer?.cancel();
    }
    this.#pump();
  }

  #onEnded(batch: Batch<I, O>): void {
    this.#running.delete(batch);
    this.#pump();
  }

  async #call(
    items: readonly I[],
    batch: Batch<I, O>,
  ): Promise<readonly unknown[]> {
    const given: unknown = await this.#fn(items, batch);
    if (!isIterable(given)) {
      throw new TypeError(
        `Cannot give the results of a batch as they must be iterable: current value is ${
          show(given)
        }`,
      );
    }
    const results = [...given];
    if (results.length === items.length) return results;
    throw new BatchSizeError(items.length, results.length);
  }

  #fault(): PolicyError | undefined {
    const policy = this.#name;
    if (this.#closed) {
      return new BatcherClosedError(
        `Cannot load an item: "${policy}" was closed`,
        { policy, retryAfterMs: Infinity },
      );
    }
    if (this.#queued < this.#capacity) return undefined;
    return new BatcherFullError(
      `Cannot load an item: ${this.#queued} items wait in "${policy}" already`,
      { policy },
    );
  }
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null &&
    Symbol.iterator in value;
}
