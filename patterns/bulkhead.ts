/**
 * Bulkheads: only so many calls at once, only so many that wait, and the rest is
 * refused, so that one thing that is slow does not take all the rest down.
 *
 * ```ts
 * import { Bulkhead } from "@ilmek/async/bulkhead";
 *
 * const reports = new Bulkhead({ slots: 10, maxQueue: 100, maxWaitMs: 500 });
 * console.log(await reports.run(() => "a report"), reports.active);
 * ```
 *
 * @module
 */
import { checkCount } from "../_internal/check.ts";
import { type BulkheadQueueOptions, planOf } from "./_bulkhead_options.ts";
import {
  defineLayers,
  type GuardLayer,
  runStep,
  type Step,
} from "./_layers.ts";
import { Slots } from "./_slots.ts";
import type { Tenant } from "./_tenant_line.ts";
import type { Policy, PolicyContext, PolicyRunOptions } from "./policy.ts";

export {
  BulkheadFullError,
  type BulkheadFullErrorOptions,
  LoadShedError,
  type LoadShedErrorOptions,
} from "./_bulkhead_errors.ts";
export type {
  BulkheadOrder,
  BulkheadQueueOptions,
  BulkheadRejection,
} from "./_bulkhead_options.ts";
export type { CallPriority } from "./_call_class.ts";
export type { CodelOptions } from "./_sojourn.ts";
export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode Bulkhead}. */
export interface BulkheadOptions extends BulkheadQueueOptions {
  /** How many calls may be under way at once. */
  slots: number;
}

/** What {@linkcode Bulkhead.snapshot} tells. */
export interface BulkheadSnapshot {
  /** How many calls may be under way at once. */
  readonly slots: number;
  /** How many slots are held. */
  readonly active: number;
  /** How many of these are held by work whose caller has gone. */
  readonly zombies: number;
  /** How many calls wait. */
  readonly waiting: number;
  /** Whether calls have waited too long for some time, if that is watched. */
  readonly stressed: boolean;
  /** How many calls have got a slot so far. */
  readonly begun: number;
  /** How many calls have found no room so far, or waited too long. */
  readonly refused: number;
  /** How many calls that waited were given up so far. */
  readonly shed: number;
}

/**
 * A bulkhead: it lets so many calls run at once, keeps so many waiting, and refuses
 * what is more.
 *
 * A slot is handed straight to the call that comes next, and is held until the
 * work has really ended, also if its caller has gone before. Among calls that wait
 * those of a higher priority go first, then those whose tenant has less under way
 * (see the module `call-priority`), then who came first or last. If too many wait,
 * the least important is given up. A call that is cancelled leaves the line.
 *
 * @example Keep a crowd from what can take two at a time
 * ```ts
 * import { Bulkhead, BulkheadFullError } from "@ilmek/async/bulkhead";
 * import { gather } from "@ilmek/async/gather";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * const bulkhead = new Bulkhead({ slots: 2, maxQueue: 1 });
 * const call = () => bulkhead.run(() => sleep(1, { value: "done" }));
 * const results = await gather([call, call, call, call], {
 *   returnExceptions: true,
 * });
 *
 * assertEquals(results.slice(0, 3), ["done", "done", "done"]);
 * assertInstanceOf(results[3], BulkheadFullError);
 * ```
 */
export class Bulkhead implements Policy {
  readonly #slots: Slots;
  readonly #step: Step;

  /**
   * Creates a bulkhead whose slots are all free.
   *
   * @throws {RangeError} If a number is out of its range.
   * @throws {TypeError} If `order` is none of the known ones.
   */
  constructor(options: BulkheadOptions) {
    const doing = "create a bulkhead";
    const limit = checkCount(options.slots, doing, "slots");
    const plan = planOf(options, doing);
    const slots = this.#slots = new Slots(plan, limit);
    const { name, maxQueue, maxWaitMs } = plan;
    const layer: GuardLayer<Tenant> = {
      kind: "guard",
      enter: (call) => slots.enter(call),
      exit: (call, who) => {
        slots.exit(call, who);
        return undefined;
      },
      facts: () => ({
        policy: "bulkhead",
        name,
        text: `${limit} at once, ${maxQueue} wait`,
        worst: ({ ms, attempts }) => ({
          ms: ms + (maxQueue === 0 ? 0 : maxWaitMs),
          attempts,
        }),
      }),
    };
    this.#step = defineLayers(this, [layer]);
  }

  /** How errors and reports call the bulkhead. */
  get name(): string {
    return this.#slots.plan.name;
  }

  /** How many slots are held. */
  get active(): number {
    return this.#slots.active;
  }

  /** How many slots are held by work whose caller has gone. */
  get zombies(): number {
    return this.#slots.zombies;
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.#slots.waiting;
  }

  /** Whether a new bulkhead could stand in for this one. */
  get pristine(): boolean {
    return this.active === 0;
  }

  /**
   * Runs `fn` in a slot.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run, in the async context of the caller.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {BulkheadFullError} If there is no room, or the wait is too long.
   * @throws {LoadShedError} If the call was given up while it waited.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The bulkhead as plain data. To look changes nothing.
   *
   * @returns The data.
   */
  snapshot(): BulkheadSnapshot {
    const slots = this.#slots;
    const { active, zombies, waiting, stressed, begun, refused, shed } = slots;
    return {
      slots: slots.limit,
      active,
      zombies,
      waiting,
      stressed,
      begun,
      refused,
      shed,
    };
  }
}
