/**
 * Something else instead, when the work has failed.
 *
 * ```ts
 * import { Fallback } from "@ilmek/async/fallback";
 *
 * const prices = new Fallback([() => [] as number[]]);
 * await prices.run(() => Promise.reject(new RangeError("down"))); // []
 * ```
 *
 * @module
 */
import { checkFunction, checkFunctions, show } from "../_internal/check.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import {
  compile,
  defineLayers,
  type GuardLayer,
  type LayerFacts,
  runStep,
  type Step,
  type Verdict,
} from "./_layers.ts";
import type {
  ClassifyOptions,
  PolicyContext,
  PolicyOutcome,
  PolicyRunOptions,
  PolicyTypes,
} from "./policy.ts";

/** What a step of a fallback receives. */
export interface FallbackContext extends PolicyContext {
  /** What the work has failed with, or the step before. */
  readonly lastError: unknown;
}

/** One thing to do instead. */
export type FallbackStep<V> = (context: FallbackContext) => V | PromiseLike<V>;

/** What {@linkcode Fallback.runWithSource} gives. */
export type FallbackResult<T, V> =
  | {
    /** What the work has given. */
    readonly value: T;
    /** Where it comes from: 0 is the work itself. */
    readonly source: 0;
    /** Whether it is a substitute. */
    readonly degraded: false;
  }
  | {
    /** What a step has given. */
    readonly value: V;
    /** Which step it comes from: 1 for the first. */
    readonly source: number;
    /** Whether it is a substitute. */
    readonly degraded: true;
    /** What the work has failed with. */
    readonly cause: unknown;
  };

/** What the hook of a fallback is told. */
export interface FallbackEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** Which attempt of the work has failed: 1 for the first. */
  readonly attempt: number;
  /** Which step comes next: 1 for the first. */
  readonly source: number;
  /** What has failed before it. */
  readonly error: unknown;
  /** The counters of the policy. */
  readonly snapshot: FallbackSnapshot;
}

/** What can be told of a fallback at one moment. */
export interface FallbackSnapshot {
  /** How many calls there were. */
  readonly calls: number;
  /** How many of them got a substitute. */
  readonly degraded: number;
  /** How many of them got nothing: all steps have failed. */
  readonly failed: number;
}

/** Options of {@linkcode Fallback}. */
export interface FallbackOptions extends ClassifyOptions {
  /**
   * How errors and reports call the policy.
   *
   * @default {"fallback"}
   */
  name?: string;
  /** Called before each step. */
  onFallback?: (event: FallbackEvent) => unknown;
}

/**
 * Thrown when the work has failed, and every step after it. `errors` has what they
 * have failed with, in order, and `cause` is the first of them.
 */
export class FallbackError extends AggregateError {
  static {
    this.prototype.name = "FallbackError";
  }
  /** The name of the policy. */
  readonly policy: string;

  /** Creates the error of a fallback that has nothing left. */
  constructor(policy: string, errors: readonly unknown[]) {
    super(
      errors,
      `Cannot give anything for "${policy}": the work has failed, and ${
        errors.length - 1
      } steps after it`,
      { cause: errors[0] },
    );
    this.policy = policy;
  }
}

/**
 * A policy that does something else when the work has failed, one step after the
 * other until one succeeds.
 *
 * A refusal by a policy inside counts as a failure, so that an open circuit has
 * its fallback. The caller's own cancellation is passed on, and nothing is done
 * instead.
 *
 * @typeParam V What the steps give.
 *
 * @example Ask a second server, then a cache
 * ```ts
 * import { Fallback } from "@ilmek/async/fallback";
 * import { assertEquals } from "@std/assert";
 *
 * const second = () => Promise.reject(new RangeError("down, too"));
 * const prices = new Fallback([second, () => "from the cache"]);
 * const work = () => Promise.reject(new RangeError("down"));
 *
 * const { value, source, degraded } = await prices.runWithSource(work);
 *
 * assertEquals(value, "from the cache");
 * assertEquals([source, degraded], [2, true]);
 * ```
 */
export class Fallback<V> {
  /** Never there: it carries the types of the policy for the compiler. */
  declare readonly "~types"?: PolicyTypes<PolicyContext, V>;
  readonly #guard: FallbackGuard<V>;
  readonly #step: Step;

  /**
   * Creates a policy that does `steps`, in order.
   *
   * @throws {TypeError} If `steps` is not a list of functions.
   * @throws {RangeError} If `steps` is empty.
   */
  constructor(
    steps: readonly FallbackStep<V>[],
    options: FallbackOptions = {},
  ) {
    const doing = "create a fallback";
    if (!Array.isArray(steps)) {
      throw new TypeError(
        `Cannot ${doing} as "steps" must be a list of functions: current value is ${
          show(steps)
        }`,
      );
    }
    for (const step of steps) checkFunction(step, doing, "steps");
    if (steps.length === 0) {
      throw new RangeError(
        `Cannot ${doing} as "steps" must hold at least one function: it is empty`,
      );
    }
    this.#guard = new FallbackGuard([...steps], options);
    this.#step = defineLayers(this, [this.#guard]);
  }

  /** How errors and reports call the policy. */
  get name(): string {
    return this.#guard.name;
  }

  /** Whether a new instance could stand in for this one: always. */
  get pristine(): boolean {
    return true;
  }

  /**
   * Runs `fn`, and the steps if it fails.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` has given, or a step.
   * @throws {FallbackError} If the work has failed, and all steps.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T | V> {
    return runStep<T | V>(this.#step, fn, options);
  }

  /**
   * Runs `fn`, and the steps if it fails, and tells where the result comes from.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns The result, and whether it is a substitute.
   * @throws {FallbackError} If the work has failed, and all steps.
   */
  async runWithSource<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<FallbackResult<T, V>> {
    let result: FallbackResult<T, V> | undefined;
    const value = await runStep<T | V>(
      this.#guard.stepTold((source, cause) => {
        result = { value: undefined as V, source, degraded: true, cause };
      }),
      fn,
      options,
    );
    if (result === undefined || !result.degraded) {
      return { value: value as T, source: 0, degraded: false };
    }
    return { ...result, value: value as V };
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): FallbackSnapshot {
    return this.#guard.snapshot();
  }
}

type Tell = (source: number, cause: unknown) => void;

class FallbackGuard<V> implements GuardLayer<undefined> {
  readonly kind = "guard";
  readonly name: string;
  readonly #steps: readonly FallbackStep<V>[];
  readonly #options: FallbackOptions;
  #calls = 0;
  #degraded = 0;
  #failed = 0;

  constructor(steps: readonly FallbackStep<V>[], options: FallbackOptions) {
    checkFunctions(options, "create a fallback", ["classify", "onFallback"]);
    this.name = options.name ?? "fallback";
    this.#steps = steps;
    this.#options = options;
  }

  snapshot(): FallbackSnapshot {
    return {
      calls: this.#calls,
      degraded: this.#degraded,
      failed: this.#failed,
    };
  }

  facts(): LayerFacts {
    const count = this.#steps.length;
    return {
      policy: "fallback",
      name: this.name,
      text: count === 1 ? "one step" : `${count} steps`,
    };
  }

  enter(): undefined {
    this.#calls++;
  }

  exit(
    call: PolicyCall,
    _state: undefined,
    outcome: PolicyOutcome,
    tell?: Tell,
  ): Verdict | Promise<Verdict> {
    const { classify } = this.#options;
    if (call.classify(outcome, classify, "failure") !== "failure") {
      return undefined;
    }
    return this.#instead(call, outcome, tell);
  }

  /** A step of its own for one call, which is told where its result comes from. */
  stepTold(tell: Tell): Step {
    const layer: GuardLayer<undefined> = {
      kind: "guard",
      enter: () => this.enter(),
      exit: (call, state, outcome) => this.exit(call, state, outcome, tell),
      facts: () => this.facts(),
    };
    return compile([layer]);
  }

  async #instead(
    call: PolicyCall,
    outcome: PolicyOutcome,
    tell: Tell | undefined,
  ): Promise<Verdict> {
    const cause = outcome.ok ? outcome.value : outcome.error;
    const errors = [cause];
    for (const [i, step] of this.#steps.entries()) {
      const source = i + 1;
      const error = errors.at(-1);
      const inner = call.fresh(error);
      this.#tell(call, source, error);
      let ok = false;
      try {
        const value = await step(inner);
        ok = true;
        this.#degraded++;
        tell?.(source, cause);
        return { ok, value };
      } catch (error) {
        if (call.isOwnCancellation(error)) throw error;
        errors.push(error);
      } finally {
        inner.end(ok);
      }
    }
    this.#failed++;
    return { ok: false, error: new FallbackError(this.name, errors) };
  }

  #tell(call: PolicyCall, source: number, error: unknown): void {
    const { onFallback } = this.#options;
    if (onFallback === undefined) return;
    callHook(call.frame.loop, this.name, onFallback, {
      policy: this.name,
      attempt: call.attempt,
      source,
      error,
      snapshot: this.snapshot(),
    });
  }
}
