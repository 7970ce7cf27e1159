/**
 * The same work once more when it is slow, and the first result counts.
 *
 * ```ts
 * import { Hedge } from "@ilmek/async/hedge";
 *
 * const hedge = new Hedge({ idempotent: true, delayMs: 100 });
 * await hedge.run(() => "page");
 * ```
 *
 * @module
 */
import type { Duration } from "../_internal/check.ts";
import { HedgeLayer } from "./_hedge_layer.ts";
import { defineLayers, runStep, type Step } from "./_layers.ts";
import type {
  ClassifyOptions,
  PolicyContext,
  PolicyRunOptions,
  PolicyTypes,
} from "./policy.ts";
import type { RetryBudget } from "./retry_budget.ts";

export type { Duration } from "../_internal/check.ts";
export { HedgeError } from "./_hedge_layer.ts";

/** What the work of a hedge receives. */
export interface HedgeContext extends PolicyContext {
  /** Which of several this is: 0 for the one that began first. */
  readonly hedge: number;
}

/** What the hook of a hedge is told. */
export interface HedgeEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** Which attempt it is about: 1 for the first. */
  readonly attempt: number;
  /** Which hedge begins: 1 for the first. */
  readonly hedge: number;
  /** Why: those before are slow, or have failed. */
  readonly reason: "slow" | "failed";
  /** How long the call has taken so far. */
  readonly elapsedMs: number;
  /** The counters of the policy. */
  readonly snapshot: HedgeSnapshot;
}

/** What can be told of a hedge at one moment. */
export interface HedgeSnapshot {
  /** How many calls there were. */
  readonly calls: number;
  /** How many hedges were begun. */
  readonly hedges: number;
  /** How many calls got their result from a hedge. */
  readonly wins: number;
  /** How many hedges the budget has refused. */
  readonly refused: number;
  /** After how long a hedge begins now; `Infinity` if that is not known yet. */
  readonly delayMs: number;
  /** How many durations that is learned from. */
  readonly samples: number;
}

/** Options of {@linkcode Hedge}. */
export interface HedgeOptions extends ClassifyOptions {
  /** Says that the work may be done twice: without that it must not be hedged. */
  idempotent: true;
  /**
   * How errors and reports call the policy.
   *
   * @default {"hedge"}
   */
  name?: string;
  /** After how long a hedge begins. Without it that is learned. */
  delayMs?: Duration;
  /**
   * Which part of the calls are to be quicker than the hedge, if its delay is
   * learned from them.
   *
   * @default {0.95}
   */
  quantile?: number;
  /**
   * From how many calls it is learned at least. Before, only failures are hedged.
   *
   * @default {50}
   */
  minSamples?: number;
  /**
   * How many hedges a call may have.
   *
   * @default {1}
   */
  max?: number;
  /** What hedges are paid from. By default every 20th call can have one. */
  budget?: RetryBudget;
  /** Tells whether a call may be hedged. */
  eligible?: (context: PolicyContext) => boolean;
  /** Called when a hedge begins. */
  onHedge?: (event: HedgeEvent) => unknown;
}

/**
 * A policy that begins the same work once more when it is slow or has failed, and
 * gives the first good result.
 *
 * The others are cancelled, and not waited for: what is around the policy treats
 * them neither as failures nor as ended before they are. What they still give is
 * dropped, bodies of responses included; the signal of the winner does not fire.
 *
 * @example Be as quick as the quicker of two
 * ```ts
 * import { Hedge } from "@ilmek/async/hedge";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const policy = new Hedge({ idempotent: true, delayMs: 5 });
 * const winner = await policy.run(({ hedge }) =>
 *   sleep(hedge === 0 ? 60_000 : 1, { value: hedge })
 * );
 *
 * assertEquals(winner, 1);
 * ```
 */
export class Hedge {
  /** Never there: it carries the types of the policy for the compiler. */
  declare readonly "~types"?: PolicyTypes<HedgeContext, never>;
  readonly #layer: HedgeLayer;
  readonly #step: Step;

  /**
   * Creates a policy.
   *
   * @throws {TypeError} If `idempotent` is not `true`.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: HedgeOptions) {
    this.#layer = new HedgeLayer(options);
    this.#step = defineLayers(this, [this.#layer]);
  }

  /** How errors and reports call the policy. */
  get name(): string {
    return this.#layer.name;
  }

  /** Whether a new instance could stand in for this one: nothing was learned. */
  get pristine(): boolean {
    return this.#layer.snapshot().samples === 0;
  }

  /**
   * Runs `fn`, and once more if it is slow or fails.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it is told which of several it is.
   * @param options Additional options.
   * @returns The first good result.
   * @throws {HedgeError} If the work and its hedges have failed.
   * @throws What `fn` threw, if there was no hedge.
   */
  run<T>(
    fn: (context: HedgeContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): HedgeSnapshot {
    return this.#layer.snapshot();
  }
}
