/**
 * Which part of the calls is let through, step by step: fractions that add up
 * exactly.
 */
const FIRST_STEP = 1 / 8;
const RAMP = [FIRST_STEP, 1 / 4, 1 / 2];

/** Lets more and more calls through after a circuit has closed. */
export class Ramp {
  /** When the circuit closed after having been open; `-Infinity` if it never was. */
  readonly since: number;
  readonly #ms: number;
  /** What is owed to the next call: from 1 it is let through, as the first is. */
  #credit = 1 - FIRST_STEP;

  constructor(since: number, ms: number) {
    this.since = since;
    this.#ms = ms;
  }

  /** Lets one more call through with 0, or says for how long to wait. */
  pass(now: number): number {
    const elapsed = now - this.since;
    if (elapsed >= this.#ms) return 0;
    const step = Math.floor(elapsed / this.#ms * RAMP.length);
    this.#credit += RAMP[step] ?? 1;
    if (this.#credit >= 1) {
      this.#credit -= 1;
      return 0;
    }
    const nextStep = (step + 1) / RAMP.length * this.#ms;
    return Math.max(1, nextStep - elapsed);
  }
}
