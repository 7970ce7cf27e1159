/**
 * Steps of several tasks that come in a fixed order.
 *
 * ```ts
 * import { Sequencer } from "@ilmek/async/sequencer";
 *
 * const sequencer = new Sequencer();
 * {
 *   using _step = await sequencer.step(0);
 *   // What comes first ...
 * }
 * ```
 *
 * @module
 */
import { checkCount } from "../_internal/check.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";

const DONE: Promise<void> = Promise.resolve();

/**
 * Lets tasks go through numbered steps, one after another: a step begins when the
 * one before it was left.
 *
 * Each step is for one caller. If one that waits for its step is cancelled, the
 * order is broken: all that wait, and all that come later, get an
 * `InvalidStateError`.
 *
 * @example Force the order in which two tasks act
 * ```ts
 * import { gather } from "@ilmek/async/gather";
 * import { Sequencer } from "@ilmek/async/sequencer";
 * import { assertEquals } from "@std/assert";
 *
 * const sequencer = new Sequencer();
 * const log: string[] = [];
 * const say = async (index: number, word: string) => {
 *   using _step = await sequencer.step(index);
 *   log.push(word);
 * };
 *
 * await gather([
 *   async () => {
 *     await say(1, "b");
 *     await say(3, "d");
 *   },
 *   async () => {
 *     await say(0, "a");
 *     await say(2, "c");
 *   },
 * ]);
 *
 * assertEquals(log, ["a", "b", "c", "d"]);
 * ```
 */
export class Sequencer {
  /** The step that may begin, or has begun and was not left. */
  #current = 0;
  readonly #waiting = new Map<number, Claim>();
  /** Steps that somebody has asked for. */
  readonly #taken = new Set<number>();
  /** The step that will never be left, since its caller has gone. */
  #missing: number | undefined;

  /** How many callers wait for their step. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits until all steps before this one were left.
   *
   * @param index The number of the step; the first is 0.
   * @returns The step. Disposing it leaves it, and lets the next begin.
   * @throws {RangeError} If `index` is not an integer >= 0.
   * @throws {InvalidStateError} If somebody else has this step, or the order is
   * broken.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async step(index: number): Promise<Disposable> {
    checkCount(index, "begin a step", "index", 0);
    const frame = currentFrame();
    const refused = refusal(frame, "begin a step");
    if (refused !== undefined) return refused;
    if (this.#missing !== undefined) throw this.#broken(this.#missing);
    if (this.#taken.has(index)) {
      throw new InvalidStateError(
        `Cannot begin step ${index}: it belongs to somebody else`,
      );
    }
    this.#taken.add(index);
    if (index === this.#current) await frame.loop.pass(DONE, frame);
    else {
      const claim = new Claim<void>(frame, `step ${index}`);
      claim.line = this.#line(index);
      this.#waiting.set(index, claim as Claim);
      await claim.wait();
    }
    return new Step(() => this.#leave());
  }

  #leave(): void {
    const claim = this.#waiting.get(++this.#current);
    if (claim === undefined) return;
    this.#waiting.delete(this.#current);
    claim.line = undefined;
    claim.grant(undefined);
  }

  /** The line of one who waits: without them no later step can begin. */
  #line(index: number): Line {
    return {
      withdraw: () => {
        this.#waiting.delete(index);
        this.#missing ??= index;
        for (const [other, claim] of this.#waiting) {
          this.#waiting.delete(other);
          claim.line = undefined;
          claim.fail(this.#broken(index));
        }
      },
    };
  }

  #broken(missing: number): InvalidStateError {
    return new InvalidStateError(
      `Cannot go on: the one who waited for step ${missing} has gone`,
    );
  }
}

class Step implements Disposable {
  #leave: (() => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  [Symbol.dispose](): void {
    const leave = this.#leave;
    this.#leave = undefined;
    leave?.();
  }
}
