/**
 * Results in the order in which they come.
 *
 * ```ts
 * import { asCompleted } from "@ilmek/async/as-completed";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * for (const next of asCompleted([() => sleep(2), () => sleep(1)])) {
 *   await next;
 * }
 * ```
 *
 * @module
 */
import { type Duration, toLimitMs } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import {
  checkEntry,
  type Entry,
  type EntryValue,
} from "../_internal/entries.ts";
import { TimeoutError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import {
  type DoneCallback,
  type Outcome,
  outcomeOf,
} from "../_internal/outcome.ts";
import { Ring } from "../_internal/ring.ts";
import { refusal } from "../_internal/refuse.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import { abortable } from "./checkpoint.ts";
import type { Future } from "./future.ts";
import { createTask, type Task } from "./task.ts";

/** Options of {@linkcode asCompleted}. */
export interface AsCompletedOptions {
  /**
   * How long to wait for all of them.
   *
   * @default {null}
   */
  timeoutMs?: Duration | null;
}

/**
 * Gives results in the order in which they come.
 *
 * - `for (const next of asCompleted(entries)) await next` gives the values; an
 *   error is thrown at its turn, and the rest can still be taken.
 * - `for await (const task of asCompleted(entries))` gives the tasks themselves,
 *   each when it has ended.
 *
 * Functions are started as tasks, in the order given. Leaving the loop early
 * leaves the others running. When the time runs out, nothing is cancelled, and
 * every value that has not come by then throws a `TimeoutError`.
 *
 * @typeParam E The entries.
 * @param entries What to wait for: functions, tasks, futures and promises.
 * @param options Additional options.
 * @returns What both kinds of loop can go over.
 * @throws {TypeError} If there is anything else in `entries`.
 * @throws {RangeError} If `options.timeoutMs` is negative or not a number.
 *
 * @example Take the values as they come
 * ```ts
 * import { asCompleted } from "@ilmek/async/as-completed";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: string[] = [];
 * const entries = [
 *   () => sleep(9, { value: "slow" }),
 *   () => sleep(1, { value: "quick" }),
 * ];
 * for (const next of asCompleted(entries)) seen.push(await next);
 *
 * assertEquals(seen, ["quick", "slow"]);
 * ```
 */
export function asCompleted<E extends Entry<unknown>>(
  entries: Iterable<E>,
  options: AsCompletedOptions = {},
): AsCompleted<EntryValue<E>> {
  const { timeoutMs = null } = options;
  const ms = toLimitMs(timeoutMs, "wait", "timeoutMs");
  const list = [...entries];
  for (const entry of list) checkEntry(entry, "wait");
  return new AsCompleted<EntryValue<E>>(
    list.map((entry) => begin(entry) as TaskOrFuture<EntryValue<E>>),
    ms,
  );
}

/** A task or a future, as {@linkcode AsCompleted} gives it. */
export type TaskOrFuture<T> = Task<T> | Future<T>;

/**
 * A task or future that has ended, as `for await` gives it.
 *
 * It is the very object; the type leaves out what makes it awaitable, since
 * TypeScript takes what `for await` gives for awaited.
 */
export type Ended<H> = H extends unknown ? Omit<H, "then" | "catch" | "finally">
  : never;

/**
 * What {@linkcode asCompleted} gives.
 *
 * @typeParam T What the entries give.
 *
 * @example Take the tasks themselves
 * ```ts
 * import { asCompleted } from "@ilmek/async/as-completed";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const tasks = [createTask(() => 1), createTask(() => 2)];
 * let sum = 0;
 * for await (const task of asCompleted(tasks)) sum += task.result();
 *
 * assertEquals(sum, 3);
 * ```
 */
export class AsCompleted<T> {
  readonly #ended = new Ring<TaskOrFuture<T>>();
  readonly #waiting = new ClaimList();
  readonly #watched = new Map<Outcome<unknown>, DoneCallback>();
  readonly #timer: Timer | undefined;
  readonly #ms: number;
  /** How many results are asked for; fewer if the loop was left early. */
  #count: number;
  #timedOut = false;
  #taken = 0;
  #served = 0;

  /**
   * It comes from `asCompleted`.
   *
   * @internal
   */
  constructor(handles: readonly TaskOrFuture<T>[], ms: number) {
    this.#ms = ms;
    this.#count = handles.length;
    const frame = currentFrame();
    for (const handle of handles) {
      const outcome = outcomeOf(handle) as Outcome<unknown>;
      const callback = outcome.subscribe(frame.loop, () => {
        this.#watched.delete(outcome);
        this.#add(handle);
      });
      this.#watched.set(outcome, callback);
    }
    this.#timer = ms === Infinity || handles.length === 0
      ? undefined
      : frame.loop.timers.after(ms, {
        label: "the limit of asCompleted()",
        expire: () => this.#expire(),
      });
  }

  /** Gives one awaitable for each entry; each takes the next result. */
  *[Symbol.iterator](): Iterator<PromiseLike<T>> {
    try {
      while (this.#taken < this.#count) {
        this.#taken++;
        yield new Next(() => this.#next());
      }
    } finally {
      // An awaitable that was given out may still be waiting.
      this.#count = this.#taken;
      this.#stopIfServed();
    }
  }

  /** Gives the tasks and futures, each when it has ended. */
  [Symbol.asyncIterator](): AsyncIterator<Ended<TaskOrFuture<T>>> {
    return {
      next: async () => {
        if (this.#taken >= this.#count) return { done: true, value: undefined };
        this.#taken++;
        try {
          // A bare task must not resolve a promise: it travels in an object.
          const { handle } = await this.#nextHandle();
          return { done: false, value: handle };
        } catch (error) {
          // A wait that was cancelled has taken nothing.
          this.#taken--;
          throw error;
        }
      },
      return: () => {
        this.#taken = this.#count;
        this.#stop();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<T> {
    const { handle } = await this.#nextHandle();
    this.#served++;
    this.#stopIfServed();
    return handle.result();
  }

  #nextHandle(): Promise<{ handle: TaskOrFuture<T> }> {
    const frame = currentFrame();
    const refused = refusal(frame, "wait for the next result");
    if (refused !== undefined) return refused;
    const handle = this.#ended.shift();
    if (handle !== undefined) {
      return frame.loop.pass(Promise.resolve({ handle }), frame);
    }
    if (this.#timedOut) return Promise.reject(new TimeoutError(this.#ms));
    const claim = new Claim<{ handle: TaskOrFuture<T> }>(
      frame,
      "the next result",
    );
    this.#waiting.push(claim as Claim);
    return claim.wait();
  }

  #add(handle: TaskOrFuture<T>): void {
    if (this.#watched.size === 0) this.#timer?.cancel();
    const claim = this.#waiting.shift();
    if (claim === undefined) this.#ended.push(handle);
    else claim.grant({ handle });
  }

  #stopIfServed(): void {
    if (this.#served >= this.#count) this.#stop();
  }

  #expire(): void {
    this.#timedOut = true;
    this.#stop();
    for (let c = this.#waiting.shift(); c; c = this.#waiting.shift()) {
      c.fail(new TimeoutError(this.#ms));
    }
  }

  #stop(): void {
    this.#timer?.cancel();
    for (const [outcome, callback] of this.#watched) {
      outcome.unsubscribe((c) => c === callback);
    }
    this.#watched.clear();
  }
}

/** Takes the next result when it is awaited, once. */
class Next<T> implements PromiseLike<T> {
  readonly #take: () => Promise<T>;
  #taken: Promise<T> | undefined;

  constructor(take: () => Promise<T>) {
    this.#take = take;
  }

  then<A = T, B = never>(
    onDone?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return (this.#taken ??= this.#take()).then(onDone, onError);
  }
}

function begin(entry: Entry<unknown>): TaskOrFuture<unknown> {
  if (typeof entry === "function") return createTask(entry);
  if (outcomeOf(entry) !== undefined) return entry as TaskOrFuture<unknown>;
  return createTask(() => abortable(entry));
}
