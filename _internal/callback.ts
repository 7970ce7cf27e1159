import { type Frame, snapshotIn } from "./frame.ts";
import type { Job, JobKind } from "./job.ts";
import type { Timer, TimerTarget } from "./timer_queue.ts";

/** A planned call of a plain function, in a frame of its own. */
export class Callback implements Job, TimerTarget {
  readonly when: number | undefined;
  timer: Timer | undefined = undefined;
  readonly #frame: Frame;
  /** Enters the context in which the call was planned. */
  readonly #enter: (fn: () => void) => void;
  #fn: (() => void) | undefined;
  #cancelled = false;

  constructor(frame: Frame, fn: () => void, when?: number) {
    this.#frame = frame;
    this.#enter = snapshotIn(frame);
    this.#fn = fn;
    this.when = when;
  }

  get kind(): JobKind {
    return "turn";
  }

  get label(): string {
    return "a callback";
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#fn = undefined;
    this.timer?.cancel();
  }

  expire(): void {
    this.run();
  }

  run(): void {
    const fn = this.#fn;
    this.#fn = undefined;
    if (fn === undefined) return;
    try {
      this.#enter(fn);
    } catch (error) {
      this.#frame.loop.report({
        message: "A callback has thrown",
        exception: error,
        handle: this,
      });
    }
  }
}
