/** When creations that have failed are tried again. */
export interface CreateGateOptions {
  /** How many run at the same time. */
  readonly concurrency: number;
  /** How many attempts may fail before the pool counts as unavailable, minus one. */
  readonly retries: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly random: () => number;
}

/**
 * Whether a pool may create: all of it backs off together, and one attempt at a
 * time finds out whether things have got better.
 */
export class CreateGate {
  readonly #options: CreateGateOptions;
  /** Attempts in a row that have failed; those that ran side by side are one. */
  #failures = 0;
  #retryAt = -Infinity;
  #cause: unknown = undefined;

  constructor(options: CreateGateOptions) {
    this.#options = options;
  }

  /** What an attempt is told, and gives back when it ends. */
  get round(): number {
    return this.#failures;
  }

  /** The error of the last attempt, as long as none has succeeded since. */
  get cause(): unknown {
    return this.#cause;
  }

  get unavailable(): boolean {
    return this.#failures > this.#options.retries;
  }

  /** The loop's time of the next attempt, if there has to be a pause. */
  get retryAt(): number {
    return this.#retryAt;
  }

  mayCreate(now: number, creating: number): boolean {
    if (this.#failures > 0) return creating === 0 && now >= this.#retryAt;
    return creating < this.#options.concurrency;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#retryAt = -Infinity;
    this.#cause = undefined;
  }

  failed(round: number, error: unknown, now: number): void {
    this.#cause = error;
    if (round !== this.#failures) return;
    const { backoffMs, maxBackoffMs, random } = this.#options;
    const ms = Math.min(maxBackoffMs, backoffMs * 2 ** this.#failures);
    this.#failures++;
    // After the cap, so that pools of many processes never come at once.
    this.#retryAt = now + ms * (0.5 + random() / 2);
  }
}
