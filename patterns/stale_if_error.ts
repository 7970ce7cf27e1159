/**
 * The last good value, while the work fails.
 *
 * ```ts
 * import { StaleIfError } from "@ilmek/async/stale-if-error";
 *
 * const rates = new StaleIfError<number>({ maxAgeMs: 60_000 });
 * await rates.run(() => 1.1);
 * await rates.run(() => Promise.reject(new RangeError("down"))); // 1.1
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunctions,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import {
  compile,
  defineLayers,
  type GuardLayer,
  type Layer,
  runStep,
  type Step,
} from "./_layers.ts";
import type {
  ClassifyOptions,
  PolicyContext,
  PolicyRunOptions,
  PolicyTypes,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";

/** A value that was good, and when. */
export interface KeptValue<V> {
  /** The value. */
  readonly value: V;
  /** The loop's time at which it came. */
  readonly at: number;
}

/** What the hook of a {@linkcode StaleIfError} is told. */
export interface StaleEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** The key of the value. */
  readonly key: unknown;
  /** How old the value is that is given. */
  readonly ageMs: number;
  /** What the work has failed with. */
  readonly error: unknown;
  /** The counters of the policy. */
  readonly snapshot: StaleSnapshot;
}

/** What can be told of a {@linkcode StaleIfError} at one moment. */
export interface StaleSnapshot {
  /** How many values are kept. */
  readonly size: number;
  /** How many calls got a kept value. */
  readonly stale: number;
}

/** Options of {@linkcode StaleIfError}. */
export interface StaleIfErrorOptions extends ClassifyOptions {
  /**
   * How errors and reports call the policy.
   *
   * @default {"stale-if-error"}
   */
  name?: string;
  /** How old a value may be that is given in place of a failure. */
  maxAgeMs: Duration;
  /**
   * Of how many keys values are kept; the least recently used go first.
   *
   * @default {1000}
   */
  max?: number;
  /** Called when a kept value is given. */
  onStale?: (event: StaleEvent) => unknown;
}

/** Options of {@linkcode StaleIfError.run}. */
export interface StaleIfErrorRunOptions extends PolicyRunOptions {
  /** Which value it is. Without keys there is one. */
  key?: unknown;
}

/**
 * A policy that gives the last good value when the work fails, unless it is too
 * old.
 *
 * Only what the work gives is kept, whoever is around it. The caller's own
 * cancellation is passed on. In a stack of policies it keeps a single value; use
 * `keyed` for a stack that serves many keys.
 *
 * @typeParam V What is kept.
 *
 * @example Survive an outage
 * ```ts
 * import { StaleIfError } from "@ilmek/async/stale-if-error";
 * import { assertEquals } from "@std/assert";
 *
 * const users = new StaleIfError<string>({ maxAgeMs: 60_000 });
 * await users.run(() => "ada", { key: 1 });
 * const down = () => Promise.reject(new RangeError("down"));
 *
 * assertEquals(await users.run(down, { key: 1 }), "ada");
 * ```
 */
export class StaleIfError<V> {
  /** Never there: it carries the types of the policy for the compiler. */
  declare readonly "~types"?: PolicyTypes<PolicyContext, V>;
  /** How errors and reports call the policy. */
  readonly name: string;
  readonly #options: StaleIfErrorOptions;
  readonly #maxAgeMs: number;
  readonly #max: number;
  /** Invariant: least recently used first. */
  readonly #kept = new Map<unknown, KeptValue<V>>();
  readonly #step: Step;
  #stale = 0;

  /**
   * Creates a policy that keeps nothing yet.
   *
   * @throws {RangeError} If `maxAgeMs` is negative or not a number.
   * @throws {RangeError} If `max` is not an integer >= 1.
   */
  constructor(options: StaleIfErrorOptions) {
    const doing = "keep values";
    const { name = "stale-if-error", maxAgeMs, max = 1000 } = options;
    this.name = name;
    this.#maxAgeMs = toMs(maxAgeMs, doing, "maxAgeMs");
    this.#max = checkCount(max, doing, "max");
    checkFunctions(options, doing, ["classify", "onStale"]);
    this.#options = options;
    this.#step = defineLayers(this, [this.#layerOf(undefined)]);
  }

  /** Whether a new instance could stand in for this one: nothing is kept. */
  get pristine(): boolean {
    const now = currentFrame().loop.time();
    for (const { at } of this.#kept.values()) {
      if (now - at <= this.#maxAgeMs) return false;
    }
    return true;
  }

  /**
   * Runs `fn`, and gives the kept value if it fails.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` has given, now or before.
   * @throws What `fn` threw, if there is no value that is young enough.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: StaleIfErrorRunOptions = {},
  ): Promise<T | V> {
    const { key } = options;
    const step = key === undefined ? this.#step : compile([this.#layerOf(key)]);
    return runStep<T | V>(step, fn, options);
  }

  /**
   * The value that is kept for a key, however old it is.
   *
   * @param key The key; without one, that of calls without a key.
   * @returns The value and when it came, or `undefined`.
   */
  peek(key?: unknown): KeptValue<V> | undefined {
    return this.#kept.get(key);
  }

  /**
   * Forgets the value of a key.
   *
   * @param key The key; without one, that of calls without a key.
   * @returns `false` if there was none.
   */
  forget(key?: unknown): boolean {
    return this.#kept.delete(key);
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): StaleSnapshot {
    return { size: this.#kept.size, stale: this.#stale };
  }

  #layerOf(key: unknown): Layer {
    const layer: GuardLayer<undefined> = {
      kind: "guard",
      enter: () => undefined,
      exit: (call, _state, outcome) => {
        const { classify } = this.#options;
        const told = call.classify(outcome, classify, "failure");
        if (outcome.ok) {
          if (told !== "failure") this.#keep(call, key, outcome.value as V);
          return undefined;
        }
        if (told !== "failure") return undefined;
        return this.#instead(call, key, outcome.error);
      },
      facts: () => ({
        policy: "stale-if-error",
        name: this.name,
        text: `values up to ${this.#maxAgeMs} ms old`,
      }),
    };
    return layer;
  }

  #keep(call: PolicyCall, key: unknown, value: V): void {
    this.#kept.delete(key);
    this.#kept.set(key, { value, at: call.frame.loop.time() });
    if (this.#kept.size <= this.#max) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }

  #instead(
    call: PolicyCall,
    key: unknown,
    error: unknown,
  ): { ok: true; value: V } | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const { loop } = call.frame;
    const ageMs = loop.time() - kept.at;
    if (ageMs > this.#maxAgeMs) return undefined;
    this.#stale++;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const { onStale } = this.#options;
    if (onStale !== undefined) {
      const snapshot = this.snapshot();
      const event = { policy: this.name, key, ageMs, error, snapshot };
      callHook(loop, this.name, onStale, event);
    }
    return { ok: true, value: kept.value };
  }
}
