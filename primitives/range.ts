/**
 * Numbers in a row, at once or at a pace.
 *
 * ```ts
 * import { range } from "@ilmek/async/range";
 *
 * for await (const n of range(0, 10, { step: 2, everyMs: 1 })) console.log(n);
 * ```
 *
 * @module
 */
import { type Duration, toMs } from "../_internal/check.ts";
import { sleep } from "./sleep.ts";

export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode AsyncRange} and {@linkcode range}. */
export interface RangeOptions {
  /**
   * How far one number is from the next; below 0 it counts down.
   *
   * @default {1}
   */
  step?: number;
  /**
   * How long to wait before each number.
   *
   * @default {0}
   */
  everyMs?: Duration;
}

/** Options of {@linkcode count}. */
export interface CountOptions extends RangeOptions {
  /**
   * The first number.
   *
   * @default {0}
   */
  start?: number;
}

/**
 * Numbers from `start` up to `end`, which is not among them.
 *
 * Each loop over it counts anew; loops that share it do not share a position.
 *
 * @example Count every second number, and count again
 * ```ts
 * import { AsyncRange } from "@ilmek/async/range";
 * import { assertEquals } from "@std/assert";
 *
 * const even = new AsyncRange(0, 5, { step: 2 });
 *
 * assertEquals(await Array.fromAsync(even), [0, 2, 4]);
 * assertEquals(await Array.fromAsync(even), [0, 2, 4]);
 * ```
 */
export class AsyncRange implements AsyncIterable<number> {
  /** The first number. */
  readonly start: number;
  /** Where it ends: the number itself is left out. */
  readonly end: number;
  /** How far one number is from the next. */
  readonly step: number;
  readonly #everyMs: number;

  /**
   * Creates a range.
   *
   * @param start The first number.
   * @param end Where it ends; `Infinity` for never.
   * @param options Additional options.
   * @throws {RangeError} If `start`, `end` or `step` is not a number, or `step` is
   * 0, or `everyMs` is negative.
   */
  constructor(start: number, end: number, options: RangeOptions = {}) {
    const { step = 1, everyMs = 0 } = options;
    this.start = checkNumber(start, "start");
    this.end = Number.isNaN(end) ? checkNumber(end, "end") : end;
    this.step = checkNumber(step, "step");
    this.#everyMs = toMs(everyMs, "count", "everyMs");
    if (step !== 0) return;
    throw new RangeError(
      'Cannot count as "step" must be a number other than 0: current value is 0',
    );
  }

  /** Counts, from the start. */
  [Symbol.asyncIterator](): AsyncIterableIterator<number, undefined> {
    return new RangeLoop(this, this.#everyMs);
  }
}

/** One loop over a range. */
class RangeLoop implements AsyncIterableIterator<number, undefined> {
  readonly #range: AsyncRange;
  readonly #everyMs: number;
  #index = 0;
  #ended = false;

  constructor(range: AsyncRange, everyMs: number) {
    this.#range = range;
    this.#everyMs = everyMs;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<number, undefined>> {
    const { start, end, step } = this.#range;
    // Sums of steps that are no integers would drift.
    const value = start + this.#index * step;
    this.#ended ||= step > 0 ? value >= end : value <= end;
    if (this.#ended) return { done: true, value: undefined };
    // It is taken before the wait: others who share the loop get the next.
    this.#index++;
    if (this.#everyMs > 0) await sleep(this.#everyMs);
    return { done: false, value };
  }

  return(): Promise<IteratorResult<number, undefined>> {
    this.#ended = true;
    return Promise.resolve({ done: true, value: undefined });
  }
}

/**
 * Gives numbers from `start` up to `end`, which is not among them.
 *
 * @param start The first number.
 * @param end Where it ends.
 * @param options Additional options.
 * @returns What `for await` can go over, as often as one likes.
 * @throws {RangeError} If a number is not one, or `step` is 0.
 *
 * @example Count down at a pace
 * ```ts
 * import { range } from "@ilmek/async/range";
 * import { assertEquals } from "@std/assert";
 *
 * const numbers = range(3, 0, { step: -1, everyMs: 1 });
 *
 * assertEquals(await Array.fromAsync(numbers), [3, 2, 1]);
 * ```
 */
export function range(
  start: number,
  end: number,
  options: RangeOptions = {},
): AsyncRange {
  return new AsyncRange(start, end, options);
}

/**
 * Gives numbers without an end.
 *
 * @param options Additional options.
 * @returns What `for await` can go over, as often as one likes.
 * @throws {RangeError} If a number is not one, or `step` is 0.
 *
 * @example Number what comes
 * ```ts
 * import { count } from "@ilmek/async/range";
 * import { assertEquals } from "@std/assert";
 *
 * const numbers: number[] = [];
 * for await (const n of count({ start: 5 })) {
 *   numbers.push(n);
 *   if (n === 7) break;
 * }
 *
 * assertEquals(numbers, [5, 6, 7]);
 * ```
 */
export function count(options: CountOptions = {}): AsyncRange {
  const { start = 0, step = 1 } = options;
  return new AsyncRange(start, step < 0 ? -Infinity : Infinity, options);
}

function checkNumber(value: number, name: string): number {
  if (Number.isFinite(value)) return value;
  throw new RangeError(
    `Cannot count as "${name}" must be a number: current value is ${value}`,
  );
}
