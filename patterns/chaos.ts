/**
 * Faults on purpose: to see in a test, or in a part of the traffic, whether what
 * guards a call really does.
 *
 * ```ts
 * import { Chaos } from "@ilmek/async/chaos";
 *
 * const chaos = new Chaos({ rate: 0.1, latencyMs: 500, enabled: () => true });
 * await chaos.run(() => "page");
 * ```
 *
 * @module
 */
import {
  checkFunctions,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { defaultRandom, seededRandom } from "../_internal/random.ts";
import { sleep } from "../primitives/sleep.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import {
  defineLayers,
  type GuardLayer,
  type LayerFacts,
  runStep,
  type Step,
  type Verdict,
} from "./_layers.ts";
import type {
  PolicyContext,
  PolicyOutcome,
  PolicyRunOptions,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";

/** Thrown in place of the work, if a {@linkcode Chaos} is told no other error. */
export class ChaosError extends Error {
  static {
    this.prototype.name = "ChaosError";
  }
  /** The name of the policy. */
  readonly policy: string;

  /** Creates the fault of a policy. */
  constructor(policy: string) {
    super(`Cannot run the work: "${policy}" has put a fault in its place`);
    this.policy = policy;
  }
}

/** What a {@linkcode Chaos} has done to a call. */
export type ChaosKind = "latency" | "fault" | "outcome";

/** What the hook of a {@linkcode Chaos} is told. */
export interface ChaosEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** Which attempt it struck: 1 for the first. */
  readonly attempt: number;
  /** What it has done. */
  readonly kind: ChaosKind;
  /** The counters of the policy. */
  readonly snapshot: ChaosSnapshot;
}

/** What can be told of a {@linkcode Chaos} at one moment. */
export interface ChaosSnapshot {
  /** How many calls there were while it was enabled. */
  readonly calls: number;
  /** How many of them it struck. */
  readonly struck: number;
}

/** Options of {@linkcode Chaos}. */
export interface ChaosOptions {
  /**
   * How errors and reports call the policy.
   *
   * @default {"chaos"}
   */
  name?: string;
  /**
   * Tells whether this call may be struck. Without it none is, so that nothing
   * happens where nobody has asked for it.
   */
  enabled?: (context: PolicyContext) => boolean;
  /**
   * Which part of the calls is struck.
   *
   * @default {0.1}
   */
  rate?: number;
  /** How long a call that is struck waits before its work begins. */
  latencyMs?: Duration;
  /**
   * Makes the error that is thrown in place of the work. Without `latencyMs`,
   * `fault` and `outcome` a `ChaosError` is thrown.
   */
  fault?: () => unknown;
  /** Makes a value that is given in place of what the work gives. */
  outcome?: () => unknown;
  /** The seed of the chances, for the same ones in each run. */
  seed?: number;
  /** Where the chances come from, if there is no seed. */
  random?: () => number;
  /** Called when a call is struck. */
  onStrike?: (event: ChaosEvent) => unknown;
}

/**
 * A policy that harms: it delays calls, fails them, or changes their results. It
 * belongs innermost in a stack, where it looks like the work itself.
 *
 * @example Fail every other call, always the same ones
 * ```ts
 * import { Chaos, ChaosError } from "@ilmek/async/chaos";
 * import { compose } from "@ilmek/async/compose";
 * import { Retry } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const chaos = new Chaos({ rate: 0.5, seed: 1, enabled: () => true });
 * const errors: unknown[] = [];
 * const policy = compose(
 *   new Retry({
 *     attempts: 20,
 *     schedule: spaced(0),
 *     onRetry: ({ error }) => errors.push(error),
 *   }),
 *   chaos,
 * );
 *
 * for (let i = 0; i < 5; i++) assertEquals(await policy.run(() => i), i);
 * assert(errors.every((error) => error instanceof ChaosError));
 * ```
 */
export class Chaos {
  readonly #guard: ChaosGuard;
  readonly #step: Step;

  /**
   * Creates a policy.
   *
   * @throws {RangeError} If `rate` is not a number from 0 to 1.
   * @throws {RangeError} If `latencyMs` is negative or not a number.
   */
  constructor(options: ChaosOptions = {}) {
    this.#guard = new ChaosGuard(options);
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
   * Runs `fn`, unless it is struck.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` has given, or the outcome in its place.
   * @throws {ChaosError} If a fault was put in its place, and no other was given.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): ChaosSnapshot {
    return this.#guard.snapshot();
  }
}

class ChaosGuard implements GuardLayer<boolean> {
  readonly kind = "guard";
  readonly name: string;
  readonly #options: ChaosOptions;
  readonly #rate: number;
  readonly #latencyMs: number;
  readonly #random: () => number;
  #calls = 0;
  #struck = 0;

  constructor(options: ChaosOptions) {
    const doing = "create chaos";
    const { rate = 0.1, random = defaultRandom, seed } = options;
    if (typeof rate !== "number" || !(rate >= 0 && rate <= 1)) {
      throw new RangeError(
        `Cannot ${doing} as "rate" must be a number from 0 to 1: current value is ${
          show(rate)
        }`,
      );
    }
    checkFunctions(options, doing, [
      "enabled",
      "fault",
      "outcome",
      "random",
      "onStrike",
    ]);
    this.name = options.name ?? "chaos";
    this.#options = options;
    this.#rate = rate;
    this.#latencyMs = toMs(options.latencyMs ?? 0, doing, "latencyMs");
    this.#random = seed === undefined ? random : seededRandom(seed);
  }

  snapshot(): ChaosSnapshot {
    return { calls: this.#calls, struck: this.#struck };
  }

  facts(): LayerFacts {
    return {
      policy: "chaos",
      name: this.name,
      text: `strikes ${Math.round(this.#rate * 100)} % of the calls`,
      worst: (inner) => ({ ...inner, ms: inner.ms + this.#latencyMs }),
    };
  }

  /** Gives whether the result is to be replaced. */
  enter(call: PolicyCall): boolean | Promise<boolean> {
    if (this.#options.enabled?.(call) !== true) return false;
    this.#calls++;
    if (this.#random() >= this.#rate) return false;
    this.#struck++;
    if (this.#options.latencyMs === undefined) return this.#strike(call);
    return this.#delay(call);
  }

  exit(call: PolicyCall, replaced: boolean, outcome: PolicyOutcome): Verdict {
    if (!replaced) return undefined;
    if (!outcome.ok && call.isOwnCancellation(outcome.error)) return undefined;
    return { ok: true, value: this.#options.outcome?.() };
  }

  async #delay(call: PolicyCall): Promise<boolean> {
    this.#tell(call, "latency");
    await sleep(this.#latencyMs);
    return this.#strike(call);
  }

  #strike(call: PolicyCall): boolean {
    const { fault, latencyMs, outcome } = this.#options;
    if (outcome !== undefined) {
      this.#tell(call, "outcome");
      return true;
    }
    if (fault === undefined && latencyMs !== undefined) return false;
    this.#tell(call, "fault");
    throw fault === undefined ? new ChaosError(this.name) : fault();
  }

  #tell(call: PolicyCall, kind: ChaosKind): void {
    const { onStrike } = this.#options;
    if (onStrike === undefined) return;
    callHook(call.frame.loop, this.name, onStrike, {
      policy: this.name,
      attempt: call.attempt,
      kind,
      snapshot: this.snapshot(),
    });
  }
}
