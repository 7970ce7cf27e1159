/**
 * Wait groups: waiting until as much is done as was begun.
 *
 * ```ts
 * import { WaitGroup } from "@ilmek/async/wait-group";
 *
 * const uploads = new WaitGroup();
 * uploads.add();
 * queueMicrotask(() => uploads.done());
 * await uploads.wait();
 * ```
 *
 * @module
 */
import { checkCount } from "../_internal/check.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { labelOf } from "./_ownership.ts";

export type { Operation } from "../_internal/operation.ts";

/** Options of {@linkcode WaitGroup}. */
export interface WaitGroupOptions {
  /** How reports and errors call the group. */
  name?: string;
}

/** Options of {@linkcode WaitGroup.wait}. */
export interface WaitGroupWaitOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

const DONE: Promise<void> = Promise.resolve();

/**
 * A number of things that are under way, and who waits for the last of them.
 *
 * It counts, and knows nothing of what it counts. For tasks, `TaskGroup` is what
 * you want: it hears of failures, and cancels.
 *
 * @example Wait for callbacks
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { WaitGroup } from "@ilmek/async/wait-group";
 * import { assertEquals } from "@std/assert";
 *
 * const group = new WaitGroup();
 * const log: number[] = [];
 * for (const n of [1, 2, 3]) {
 *   group.add();
 *   getRunningLoop().callSoon(() => {
 *     log.push(n);
 *     group.done();
 *   });
 * }
 * await group.wait();
 *
 * assertEquals(log, [1, 2, 3]);
 * ```
 */
export class WaitGroup {
  readonly #label: string;
  readonly #line = new ClaimList();
  #count = 0;
  /** How many were let go, and have not gone on yet. */
  #leaving = 0;

  /** Creates a group in which nothing is under way. */
  constructor(options: WaitGroupOptions = {}) {
    const { name } = options;
    this.#label = labelOf("wait group", name);
  }

  /** How much is under way. */
  get count(): number {
    return this.#count;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Says that something begins.
   *
   * @param count How much.
   * @throws {RangeError} If `count` is not an integer >= 1.
   * @throws {InvalidStateError} If all was done in this very step, and those who
   * have waited for that have not gone on: they would find something under way.
   */
  add(count = 1): void {
    checkCount(count, "add to a wait group", "count");
    if (this.#count === 0 && this.#leaving > 0) {
      throw new InvalidStateError(
        `Cannot add to ${this.#label}: who has waited for the end has not gone on yet`,
      );
    }
    this.#count += count;
  }

  /**
   * Says that something is done.
   *
   * @throws {InvalidStateError} If nothing is under way.
   */
  done(): void {
    if (this.#count === 0) {
      throw new InvalidStateError(
        `Cannot be done in ${this.#label}: nothing is under way`,
      );
    }
    if (--this.#count > 0) return;
    for (let c = this.#line.shift(); c !== undefined; c = this.#line.shift()) {
      const isCounted = c.value === true;
      if (c.grant(undefined) && isCounted) this.#leaving++;
    }
  }

  /**
   * Waits until nothing is under way.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  wait(options: WaitGroupWaitOptions = {}): Promise<void> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "wait for a wait group", signal);
    if (refused !== undefined) return refused;
    if (this.#count === 0) return frame.loop.pass(DONE, frame);
    const claim = new Claim<void>(frame, this.#label);
    claim.value = true;
    this.#line.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    const waiting = claim.wait();
    waiting.then(() => this.#leaving--, () => {});
    return waiting;
  }

  /**
   * Waiting until nothing is under way, as a choice of `select`.
   *
   * @returns The operation; it gives nothing.
   */
  waitOp(): Operation<void> {
    return new Operation<void>({
      label: this.#label,
      attempt: () => this.#count === 0 ? { value: undefined } : undefined,
      park: (claim) => this.#line.push(claim as Claim),
    });
  }
}
