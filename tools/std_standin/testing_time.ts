/**
 * Stand-in for `@std/testing/time`, for machines that cannot reach jsr.io.
 *
 * As in the original, `Date`, the timer functions and `AbortSignal.timeout` are
 * faked, `performance`, microtasks and `Temporal` are not. Timer ids are
 * numbers. The `...Async` methods let pending microtasks run once, and then
 * advance: they do not drain microtasks between timers.
 *
 * @module
 */

import type { DelayOptions } from "./async.ts";

export type { DelayOptions };

/** Options of {@linkcode FakeTime}. */
export interface FakeTimeOptions {
  /**
   * How many milliseconds of fake time pass in a millisecond of real time.
   *
   * @default {0}
   */
  advanceRate: number;
  /**
   * How often fake time advances, in milliseconds of real time.
   *
   * @default {10}
   */
  advanceFrequency?: number;
}

/** What is thrown if time is faked twice, or restored without being faked. */
export class TimeError extends Error {
  static {
    this.prototype.name = "TimeError";
  }
}

interface Timer {
  readonly id: number;
  readonly due: number;
  readonly everyMs: number | undefined;
  readonly run: () => void;
}

const REAL = {
  Date: globalThis.Date,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
};
const realAbortTimeout = AbortSignal.timeout;

const FAKE: Record<keyof typeof REAL, unknown> = {
  Date: new Proxy(REAL.Date, {
    construct: (target, args) =>
      Reflect.construct(target, args.length === 0 ? [fakeNow()] : args),
    apply: () => new REAL.Date(fakeNow()).toString(),
    get: (target, key, receiver) =>
      key === "now" ? fakeNow : Reflect.get(target, key, receiver),
  }),
  setTimeout: (fn: unknown, ms?: number, ...args: unknown[]) =>
    currentTime("set timeout").setTimer("setTimeout", fn, ms, args),
  clearTimeout: (id: unknown) => currentTime("clear timeout").clearTimer(id),
  setInterval: (fn: unknown, ms?: number, ...args: unknown[]) =>
    currentTime("set interval").setTimer("setInterval", fn, ms, args),
  clearInterval: (id: unknown) => currentTime("clear interval").clearTimer(id),
};

let current: Timers | undefined;

/** Replaces the clock and the timers of the platform until it is disposed. */
export class FakeTime implements Disposable {
  readonly #timers: Timers;
  readonly #start: number;
  readonly #ticker: number | undefined;

  /** Fakes time from now on, starting at `start` or at the present. */
  constructor(
    start?: number | string | Date | null,
    options?: FakeTimeOptions,
  ) {
    if (current) {
      throw new TimeError("Cannot construct FakeTime: time is already faked");
    }
    this.#start = toMs(start);
    this.#timers = new Timers(this.#start);
    current = this.#timers;
    install();

    const { advanceRate = 0, advanceFrequency = 10 } = options ?? {};
    if (advanceRate > 0) {
      this.#ticker = Number(REAL.setInterval(
        () => this.tick(advanceRate * advanceFrequency),
        advanceFrequency,
      ));
    }
  }

  /** Restores real time. */
  static restore(): void {
    if (!current) {
      throw new TimeError("Cannot restore time: time is already restored");
    }
    current = undefined;
    uninstall();
  }

  /** Restores real time while `callback` runs. */
  static async restoreFor<Args extends unknown[], T>(
    callback: (...args: Args) => Promise<T> | T,
    ...args: Args
  ): Promise<T> {
    if (!current) {
      throw new TimeError("Cannot restore time: time is not faked");
    }
    uninstall();
    let result: Promise<T> | T;
    try {
      result = callback(...args);
    } catch (error) {
      install();
      throw error;
    }
    if (!(result instanceof Promise)) {
      install();
      return result;
    }
    try {
      return await result;
    } finally {
      install();
    }
  }

  /** The fake time at the beginning. */
  get start(): number {
    return this.#start;
  }

  /** The fake time. Setting it runs the timers that fall due on the way. */
  get now(): number {
    return this.#timers.now;
  }
  set now(value: number) {
    this.#timers.advanceTo(value);
  }

  /** Waits in real time. */
  delay(ms: number, options: DelayOptions = {}): Promise<void> {
    const { signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => {
      REAL.clearTimeout(timer);
      reject(new DOMException("Delay was aborted.", "AbortError"));
    };
    const timer = REAL.setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    return promise;
  }

  /** Runs the pending microtasks. */
  async runMicrotasks(): Promise<void> {
    await this.delay(0);
  }

  /** Advances by `ms`, and runs the timers that fall due on the way. */
  tick(ms = 0): void {
    this.now += ms;
  }

  /** Runs the pending microtasks, then advances by `ms`. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.now += ms;
  }

  /** Advances to the next timer, and tells whether there was one. */
  next(): boolean {
    const { nextDue } = this.#timers;
    if (nextDue !== undefined) this.now = nextDue;
    return nextDue !== undefined;
  }

  /** Runs the pending microtasks, then advances to the next timer. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Advances until no timer is left. */
  runAll(): void {
    while (this.next());
  }

  /** Advances until no timer is left, with the microtasks before each. */
  async runAllAsync(): Promise<void> {
    while (this.#timers.nextDue !== undefined) await this.nextAsync();
  }

  /** Restores real time. */
  restore(): void {
    FakeTime.restore();
    REAL.clearInterval(this.#ticker);
  }

  /** Restores real time. */
  [Symbol.dispose](): void {
    this.restore();
  }
}

class Timers {
  now: number;
  #lastId = 0;
  /** Invariant: sorted by `due`, and by the order of the calls where equal. */
  #queue: Timer[] = [];

  constructor(start: number) {
    this.now = start;
  }

  get nextDue(): number | undefined {
    return this.#queue[0]?.due;
  }

  setTimer(
    kind: "setTimeout" | "setInterval",
    fn: unknown,
    ms: number | undefined,
    args: unknown[],
  ): number {
    if (typeof fn !== "function") {
      throw new TimeError(
        `FakeTime does not support non-function callbacks to ${kind}`,
      );
    }
    const waitMs = Math.floor(ms ?? 0);
    const everyMs = kind === "setInterval" ? Math.max(1, waitMs) : undefined;
    const due = this.now + (everyMs ?? Math.max(0, waitMs));
    const id = ++this.#lastId;
    this.#add({ id, due, everyMs, run: () => fn.apply(null, args) });
    return id;
  }

  clearTimer(id: unknown): void {
    this.#queue = this.#queue.filter((timer) => timer.id !== id);
  }

  advanceTo(value: number): void {
    if (value < this.now) {
      throw new RangeError(
        `Cannot set current time in the past, time must be >= ${this.now}: received ${value}`,
      );
    }
    let timer = this.#queue[0];
    while (timer !== undefined && timer.due <= value) {
      this.#queue.shift();
      this.now = timer.due;
      if (timer.everyMs !== undefined) {
        this.#add({ ...timer, due: timer.due + timer.everyMs });
      }
      timer.run();
      timer = this.#queue[0];
    }
    this.now = value;
  }

  #add(timer: Timer): void {
    const later = this.#queue.findIndex(({ due }) => due > timer.due);
    this.#queue.splice(later === -1 ? this.#queue.length : later, 0, timer);
  }
}

function install(): void {
  Object.assign(globalThis, FAKE);
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    globalThis.setTimeout(() => {
      controller.abort(new DOMException("Signal timed out.", "TimeoutError"));
    }, ms);
    return controller.signal;
  };
}

function uninstall(): void {
  Object.assign(globalThis, REAL);
  AbortSignal.timeout = realAbortTimeout;
}

function fakeNow(): number {
  return current?.now ?? REAL.Date.now();
}

function currentTime(action: string): Timers {
  if (!current) throw new TimeError(`Cannot ${action}: time is not faked`);
  return current;
}

function toMs(start: number | string | Date | null | undefined): number {
  const ms = typeof start === "number"
    ? Math.floor(start)
    : new REAL.Date(start ?? REAL.Date.now()).getTime();
  if (!Number.isNaN(ms)) return ms;
  throw new TypeError(`Cannot construct FakeTime: invalid start time ${ms}`);
}
