/**
 * Measuring how long something takes.
 *
 * ```ts
 * import { Timer } from "@ilmek/async/timer";
 *
 * const timer = new Timer();
 * // Some work ...
 * console.log(`${timer.elapsedMs.toFixed(1)} ms`);
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";

/** Options of {@linkcode Timer}. */
export interface TimerOptions {
  /** Called once when the timer is stopped, with the time that has passed. */
  onStop?: (elapsedMs: number, timer: Timer) => void;
}

/**
 * A stopwatch on the loop's time, which never goes back. Each one measures one
 * stretch: for a second, make a second timer.
 *
 * @example Tell how long a block has taken
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { Timer } from "@ilmek/async/timer";
 * import { assert } from "@std/assert";
 *
 * let took = 0;
 * {
 *   using _timer = new Timer("nap", { onStop: (ms) => took = ms });
 *   await sleep(2);
 * }
 *
 * assert(took >= 2);
 * ```
 */
export class Timer implements Disposable {
  /** The name of the timer. */
  readonly name: string;
  readonly #loop: EventLoop = currentFrame().loop;
  readonly #start: number = this.#loop.time();
  readonly #onStop: TimerOptions["onStop"];
  #end: number | undefined;

  /** Creates a timer, and starts it. */
  constructor(name = "", options: TimerOptions = {}) {
    const { onStop } = options;
    if (onStop !== undefined) checkFunction(onStop, "create a timer", "onStop");
    this.name = name;
    this.#onStop = onStop;
  }

  /** How many milliseconds have passed, until now or until it was stopped. */
  get elapsedMs(): number {
    return (this.#end ?? this.#loop.time()) - this.#start;
  }

  /** Whether the timer still counts. */
  get running(): boolean {
    return this.#end === undefined;
  }

  /**
   * Stops the timer. Stopping twice does nothing.
   *
   * @returns How many milliseconds have passed.
   */
  stop(): number {
    if (this.#end !== undefined) return this.elapsedMs;
    this.#end = this.#loop.time();
    this.#onStop?.(this.elapsedMs, this);
    return this.elapsedMs;
  }

  /** Stops the timer. */
  [Symbol.dispose](): void {
    this.stop();
  }
}
