import type { Claim } from "./claim.ts";
import type { Frame } from "./frame.ts";

/** What an operation did at once. */
export interface Attempt<T> {
  readonly value: T;
}

/** How an operation is done: at once, or by a claim that may come to nothing. */
export interface OperationSteps<T> {
  /** What the operation waits for. */
  readonly label: string;
  /**
   * Does it if it need not wait; otherwise changes nothing. It throws what the
   * wait would end with at once.
   */
  attempt(frame: Frame): Attempt<T> | undefined;
  /**
   * Puts a claim in line. The claim is never waited for itself: it is granted,
   * fails, or is withdrawn, which must leave no trace.
   */
  park(claim: Claim<T>): void;
}

/**
 * Something to wait for that has not begun: one of the choices of `select`.
 *
 * It can be used any number of times, and does nothing by itself.
 *
 * @typeParam T What the wait gives.
 *
 * @example Use an operation twice
 * ```ts
 * import { type Operation, select } from "@ilmek/async/select";
 * import { sleepOp } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const pause: Operation<void> = sleepOp(1);
 * for (let i = 0; i < 2; i++) {
 *   const { key } = await select({ pause });
 *   assertEquals(key, "pause");
 * }
 * ```
 */
export class Operation<out T> {
  readonly #steps: OperationSteps<T>;

  /**
   * Operations come from what can be waited for.
   *
   * @internal
   */
  constructor(steps: OperationSteps<T>) {
    this.#steps = steps;
  }

  /**
   * How an operation is done.
   *
   * @internal
   */
  static stepsOf<T>(operation: Operation<T>): OperationSteps<T> {
    return operation.#steps;
  }

  /** Prints what the operation waits for. */
  toString(): string {
    return `<Operation ${this.#steps.label}>`;
  }
}
