import type { Claim, Line } from "../_internal/claim.ts";
import { snapshotIn } from "../_internal/frame.ts";

/** One who waits for a value that fits. */
export class Judge<T> implements Line {
  readonly #claim: Claim<T>;
  readonly #predicate: (value: T) => boolean;
  readonly #all: Set<Judge<T>>;
  readonly #inCallersContext: (fn: () => void) => void;
  /** Whether the next value that fits will do. */
  #armed: boolean;

  constructor(
    claim: Claim<T>,
    predicate: (value: T) => boolean,
    armed: boolean,
    all: Set<Judge<T>>,
  ) {
    this.#claim = claim;
    this.#predicate = predicate;
    this.#armed = armed;
    this.#all = all;
    this.#inCallersContext = snapshotIn(claim.frame);
  }

  withdraw(): void {
    this.#all.delete(this);
  }

  look(value: T): void {
    let fits = false;
    try {
      this.#inCallersContext(() => fits = this.#predicate(value));
    } catch (error) {
      return this.fail(error);
    }
    if (!fits) this.#armed = true;
    else if (this.#armed) this.#claim.grant(value);
  }

  fail(error: unknown): void {
    this.#claim.fail(error);
  }
}
