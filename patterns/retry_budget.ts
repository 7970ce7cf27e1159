/**
 * How many retries a whole program may add to its load.
 *
 * ```ts
 * import { RetryBudget } from "@ilmek/async/retry-budget";
 *
 * const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 3 });
 * ```
 *
 * @module
 */
import { checkCount, show } from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";

/** Options of {@linkcode RetryBudget}. */
export interface RetryBudgetOptions {
  /**
   * How many retries each success pays for.
   *
   * @default {0.1}
   */
  ratio?: number;
  /**
   * How many retries a second are free, so that few callers can retry, too.
   *
   * @default {3}
   */
  minPerSecond?: number;
  /**
   * How many retries can be saved up.
   *
   * @default {30}
   */
  capacity?: number;
  /**
   * Which part of the calls under way may be retries.
   *
   * @default {0.2}
   */
  maxInFlightRatio?: number;
  /**
   * How many retries may be under way, however few calls there are.
   *
   * @default {3}
   */
  minInFlight?: number;
}

/** What {@linkcode RetryBudget.snapshot} tells. */
export interface RetryBudgetSnapshot {
  /** How many retries are saved up. */
  readonly tokens: number;
  /** How many calls are under way. */
  readonly inFlight: number;
  /** How many retries are under way. */
  readonly retriesInFlight: number;
  /** How many retries were granted so far. */
  readonly granted: number;
  /** How many retries were refused so far. */
  readonly refused: number;
}

/**
 * A limit on retries that many policies share.
 *
 * When everything fails, retries multiply the load that made it fail. A budget
 * lets them grow with what succeeds, and no further: of 1,000 calls that fail,
 * about 30 are tried again, not 2,000. Two limits hold at once: retries are paid
 * for by successes, and are only a part of all calls under way.
 *
 * @example Share one budget
 * ```ts
 * import { Retry } from "@ilmek/async/retry";
 * import { RetryBudget } from "@ilmek/async/retry-budget";
 * import { spaced } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const budget = new RetryBudget({ capacity: 2, minPerSecond: 0 });
 * const schedule = spaced(0);
 * const reads = new Retry({ attempts: 9, schedule, budget });
 * let calls = 0;
 * await reads.run(() => {
 *   calls++;
 *   throw new DOMException("down", "NetworkError");
 * }).catch(() => {});
 *
 * assertEquals(calls, 3);
 * ```
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #maxInFlightRatio: number;
  readonly #minInFlight: number;
  #tokens: number;
  #countedAt: number | undefined = undefined;
  #inFlight = 0;
  #retriesInFlight = 0;
  #granted = 0;
  #refused = 0;

  /**
   * Creates a budget that is full.
   *
   * @throws {RangeError} If an option is negative or not a number.
   */
  constructor(options: RetryBudgetOptions = {}) {
    const {
      ratio = 0.1,
      minPerSecond = 3,
      capacity = 30,
      maxInFlightRatio = 0.2,
      minInFlight = 3,
    } = options;
    this.#ratio = checkAmount(ratio, "ratio");
    this.#perMs = checkAmount(minPerSecond, "minPerSecond") / 1000;
    this.#capacity = checkAmount(capacity, "capacity");
    this.#maxInFlightRatio = checkAmount(maxInFlightRatio, "maxInFlightRatio");
    this.#minInFlight = checkCount(
      minInFlight,
      "create a budget",
      "minInFlight",
      0,
    );
    this.#tokens = capacity;
  }

  /** Says that a call has begun. */
  enter(): void {
    this.#inFlight++;
  }

  /**
   * Says that a call has ended for good, and pays in if it has succeeded.
   *
   * @throws {InvalidStateError} If no call is under way.
   */
  leave(succeeded: boolean): void {
    if (this.#inFlight === 0) {
      throw new InvalidStateError(
        "Cannot leave a budget: no call is under way",
      );
    }
    this.#inFlight--;
    if (!succeeded) return;
    this.#tokens = Math.min(this.#capacity, this.#tokens + this.#ratio);
  }

  /**
   * Takes a retry out of the budget, to be given back by `release` when its
   * attempt is over.
   *
   * @returns `false` if none is left.
   */
  tryAcquire(): boolean {
    this.#refill();
    const most = Math.max(
      this.#minInFlight,
      this.#maxInFlightRatio * this.#inFlight,
    );
    // Sums of tenths fall a little short of the whole.
    if (this.#tokens < 1 - 1e-9 || this.#retriesInFlight + 1 > most) {
      this.#refused++;
      return false;
    }
    this.#tokens = Math.max(0, this.#tokens - 1);
    this.#retriesInFlight++;
    this.#granted++;
    return true;
  }

  /**
   * Says that the attempt of a retry is over.
   *
   * @throws {InvalidStateError} If no retry is under way.
   */
  release(): void {
    if (this.#retriesInFlight === 0) {
      throw new InvalidStateError(
        "Cannot release a retry: none is under way",
      );
    }
    this.#retriesInFlight--;
  }

  /**
   * What can be told of the budget at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): RetryBudgetSnapshot {
    return {
      tokens: this.#tokensAt(currentFrame().loop.time()),
      inFlight: this.#inFlight,
      retriesInFlight: this.#retriesInFlight,
      granted: this.#granted,
      refused: this.#refused,
    };
  }

  #refill(): void {
    const now = currentFrame().loop.time();
    this.#tokens = this.#tokensAt(now);
    this.#countedAt = now;
  }

  #tokensAt(now: number): number {
    const passed = Math.max(0, now - (this.#countedAt ?? now));
    return Math.min(this.#capacity, this.#tokens + passed * this.#perMs);
  }
}

function checkAmount(value: number, name: string): number {
  if (typeof value === "number" && value >= 0) return value;
  const message =
    `Cannot create a budget as "${name}" must be a number >= 0: current value is ${
      show(value)
    }`;
  throw typeof value === "number"
    ? new RangeError(message)
    : new TypeError(message);
}
