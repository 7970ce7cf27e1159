import { type Duration, toMs } from "../_internal/check.ts";

/** How long calls may wait before that counts as too much to do. */
export interface CodelOptions {
  /**
   * How long a call waits without harm.
   *
   * @default {5}
   */
  targetMs?: Duration;
  /**
   * How long somebody must have waited longer than that, without a pause, until
   * there is too much to do.
   *
   * @default {100}
   */
  intervalMs?: Duration;
}

/**
 * Tells a queue that absorbs a burst from one that only makes all wait: by how
 * long the oldest has waited, after CoDel by Nichols and Jacobson.
 */
export class Sojourn {
  readonly targetMs: number;
  readonly #intervalMs: number;
  /** Since when somebody has waited longer than the target. */
  #aboveSince: number | undefined = undefined;
  stressed = false;

  constructor(options: CodelOptions, doing: string) {
    const { targetMs = 5, intervalMs = 100 } = options;
    this.targetMs = toMs(targetMs, doing, "targetMs");
    this.#intervalMs = toMs(intervalMs, doing, "intervalMs");
  }

  /** Looks at the queue, whose oldest came at `oldestAt`. */
  look(now: number, oldestAt: number): void {
    const above = oldestAt + this.targetMs;
    if (now <= above) {
      this.#aboveSince = undefined;
      this.stressed = false;
      return;
    }
    // Nobody may have looked when the target was passed.
    this.#aboveSince ??= above;
    this.stressed ||= now - this.#aboveSince >= this.#intervalMs;
  }
}
