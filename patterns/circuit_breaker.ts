/**
 * Circuit breakers: calls of something that fails are refused for a while, so that
 * it can recover and callers need not wait for nothing.
 *
 * ```ts
 * import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
 *
 * const payments = new CircuitBreaker({ name: "payments" });
 * console.log(await payments.run(() => "paid"), payments.state);
 * ```
 *
 * @module
 */
import { show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { BreakerCore } from "./_breaker_core.ts";
import { type CircuitBreakerOptions, planOf } from "./_breaker_options.ts";
import type { Admission } from "./_breaker_probes.ts";
import type {
  CircuitMode,
  CircuitSnapshot,
  CircuitState,
} from "./_breaker_types.ts";
import {
  defineLayers,
  type GuardLayer,
  runStep,
  type Step,
} from "./_layers.ts";
import type { Policy, PolicyContext, PolicyRunOptions } from "./policy.ts";

export { CircuitIsolatedError, CircuitOpenError } from "./_breaker_errors.ts";
export type {
  CircuitBreakerOptions,
  CircuitBreakerWindow,
} from "./_breaker_options.ts";
export type {
  CircuitChangeReason,
  CircuitMode,
  CircuitRejection,
  CircuitSnapshot,
  CircuitState,
  CircuitStateChange,
  CircuitTotals,
} from "./_breaker_types.ts";
export type { WindowCounts } from "./_breaker_window.ts";
export type { Duration } from "../_internal/check.ts";

/**
 * A breaker: it lets calls through while most of them succeed, refuses all when
 * too many fail or take too long, and after a while finds out by a few probes
 * whether it can close again.
 *
 * A rate counts calls that are over, and those that take longer than `slowMs`. A
 * result counts only in the state period in which its call was let through. The
 * caller's own cancellation says nothing, and gives a probe's place back.
 *
 * @example Refuse calls that would fail
 * ```ts
 * import { CircuitBreaker, CircuitOpenError } from "@ilmek/async/circuit-breaker";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const breaker = new CircuitBreaker({ consecutiveFailures: 2 });
 * const failing = () => breaker.run(() => Promise.reject(new TypeError("down")));
 * await assertRejects(failing, TypeError, "down");
 * await assertRejects(failing, TypeError, "down");
 *
 * assertEquals(breaker.state, "open");
 * await assertRejects(failing, CircuitOpenError);
 * ```
 */
export class CircuitBreaker implements Policy {
  readonly #core: BreakerCore;
  readonly #step: Step;

  /**
   * Creates a breaker that is closed.
   *
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: CircuitBreakerOptions = {}) {
    const core = this.#core = new BreakerCore(planOf(options));
    const layer: GuardLayer<Admission> = {
      kind: "guard",
      enter: (call) => core.admit(call),
      exit: (call, admission, outcome) => {
        core.leave(call, admission, outcome);
        return undefined;
      },
      facts: () => ({
        policy: "circuit-breaker",
        name: core.plan.name,
        text: describe(core),
        worst: ({ ms, attempts }) => ({ ms: ms + core.plan.waitMs, attempts }),
      }),
    };
    this.#step = defineLayers(this, [layer]);
  }

  /** How errors and reports call the breaker. */
  get name(): string {
    return this.#core.plan.name;
  }

  /** What the breaker does by itself, as of the last call. */
  get state(): CircuitState {
    return this.#core.state;
  }

  /** What was decided about the breaker. */
  get mode(): CircuitMode {
    return this.#core.mode;
  }

  /** How many calls are under way. */
  get inFlight(): number {
    return this.#core.inFlight;
  }

  /** How many calls wait for the verdict of the probes. */
  get waiting(): number {
    return this.#core.waiting;
  }

  /** The failure that came last, if there was one. */
  get lastFailure(): unknown {
    return this.#core.lastFailure;
  }

  /** Whether a new breaker could stand in for this one. */
  get pristine(): boolean {
    const { state, mode, inFlight, openings, consecutive } = this.#core;
    return state === "closed" && mode === "auto" &&
      inFlight + openings + consecutive + this.snapshot().window.calls === 0;
  }

  /**
   * Runs `fn`, unless the circuit is open.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `fn` throws.
   * @throws {CircuitOpenError} If the call is refused.
   * @throws {CircuitIsolatedError} If the breaker is isolated.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /** Refuses all calls, until `resume` or another decision. */
  isolate(): void {
    this.#core.decide(currentFrame().loop, "isolated");
  }

  /** Lets all calls through and counts none, until `resume` or another decision. */
  bypass(): void {
    this.#core.decide(currentFrame().loop, "bypassed");
  }

  /** Counts all calls and refuses none, until `resume` or another decision. */
  shadow(): void {
    this.#core.decide(currentFrame().loop, "shadow");
  }

  /** Leaves the breaker to itself again. */
  resume(): void {
    this.#core.decide(currentFrame().loop, "auto");
  }

  /** Opens the circuit now, as if too many calls had failed. */
  open(): void {
    const { loop } = currentFrame();
    if (this.state !== "open") this.#core.open(loop, "decided", 0);
  }

  /** Closes the circuit now, without a ramp, and forgets all that was counted. */
  reset(): void {
    const { loop } = currentFrame();
    this.#core.openings = 0;
    this.#core.close(loop, "decided", -Infinity);
  }

  /**
   * The breaker as plain data. To look changes nothing.
   *
   * @returns The data.
   */
  snapshot(): CircuitSnapshot {
    return this.#core.snapshot(currentFrame().loop.time());
  }

  /**
   * Takes over what another breaker was like, in another process or before.
   *
   * Ages are relative, so that clocks need not agree. Calls in flight and the
   * window are not taken over. A half-open circuit comes back as an open one whose
   * time is over.
   *
   * @param snapshot What `snapshot()` of the other has given.
   * @throws {TypeError} If `snapshot` is none.
   *
   * @example Go on where another process has ended
   * ```ts
   * import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
   * import { assertEquals } from "@std/assert";
   *
   * const before = new CircuitBreaker();
   * before.open();
   * const text = JSON.stringify(before.snapshot());
   *
   * const after = new CircuitBreaker();
   * after.restore(JSON.parse(text));
   * assertEquals(after.state, "open");
   * ```
   */
  restore(snapshot: CircuitSnapshot): void {
    checkSnapshot(snapshot);
    const { state, mode, reopensInMs, openings } = snapshot;
    const { loop } = currentFrame();
    this.#core.openings = openings;
    if (state === "closed") this.#core.close(loop, "decided", -Infinity);
    else {
      const until = loop.time() + (state === "open" ? reopensInMs : 0);
      this.#core.openUntil(loop, until, "decided");
    }
    this.#core.decide(loop, mode);
  }
}

function describe({ plan }: BreakerCore): string {
  const { failureRate, minimumCalls, openMs, consecutiveFailures } = plan;
  const rate = `${failureRate * 100} % of at least ${minimumCalls} calls`;
  const row = consecutiveFailures === Infinity
    ? ""
    : ` or ${consecutiveFailures} in a row`;
  return `opens for ${openMs} ms or more when ${rate}${row} fail`;
}

function checkSnapshot(snapshot: CircuitSnapshot): void {
  const isOne = typeof snapshot === "object" && snapshot !== null &&
    ["closed", "open", "half-open"].includes(snapshot.state) &&
    ["auto", "isolated", "bypassed", "shadow"].includes(snapshot.mode) &&
    typeof snapshot.reopensInMs === "number" && snapshot.reopensInMs >= 0 &&
    Number.isInteger(snapshot.openings) && snapshot.openings >= 0;
  if (isOne) return;
  throw new TypeError(
    `Cannot restore a circuit breaker as "snapshot" must come from snapshot(): current value is ${
      show(snapshot)
    }`,
  );
}
