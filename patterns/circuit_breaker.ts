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
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import { defaultRandom } from "../_internal/random.ts";
import {
  type BreakerPlan,
  type CircuitBreakerOptions,
  type CircuitChangeReason,
  CircuitIsolatedError,
  type CircuitMode,
  CircuitOpenError,
  type CircuitSnapshot,
  type CircuitState,
  planOf,
} from "./_breaker_options.ts";
import { Admission, Probes } from "./_breaker_probes.ts";
import {
  type BreakerWindow,
  CountWindow,
  TimeWindow,
} from "./_breaker_window.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import {
  defineLayers,
  type GuardLayer,
  runStep,
  type Step,
} from "./_layers.ts";
import type {
  OutcomeClass,
  Policy,
  PolicyContext,
  PolicyError,
  PolicyOutcome,
  PolicyRunOptions,
} from "./policy.ts";

export {
  type CircuitBreakerOptions,
  type CircuitBreakerWindow,
  type CircuitChangeReason,
  CircuitIsolatedError,
  type CircuitMode,
  CircuitOpenError,
  type CircuitRejection,
  type CircuitSnapshot,
  type CircuitState,
  type CircuitStateChange,
  type CircuitTotals,
} from "./_breaker_options.ts";
export type { WindowCounts } from "./_breaker_window.ts";
export type { Duration } from "../_internal/check.ts";

/**
 * Which part of the calls is let through after closing, step by step: fractions
 * that add up exactly.
 */
const FIRST_STEP = 1 / 8;
const RAMP = [FIRST_STEP, 1 / 4, 1 / 2];
const GROWTH = 2;

/** What an open circuit knows, and a half-open one. */
type Phase =
  | {
    readonly state: "closed";
    /** When it closed after having been open; `-Infinity` if it never was. */
    readonly since: number;
    /** What the ramp owes the next call: from 1 it is let through, as the first is. */
    credit: number;
  }
  | { readonly state: "open"; readonly until: number }
  | { readonly state: "half-open"; readonly probes: Probes };

/** Calls that were let through without being counted. */
const UNCOUNTED = new Admission(-1, 0, false);

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
  readonly #plan: BreakerPlan;
  readonly #options: CircuitBreakerOptions;
  readonly #random: () => number;
  readonly #window: BreakerWindow;
  readonly #step: Step;
  /** Calls that wait for the probes' verdict. */
  readonly #waiting = new ClaimList();
  /** Calls in flight that would be slow at some time, oldest first. */
  readonly #pending = new LinkedList<Admission>();
  #phase: Phase = { state: "closed", since: -Infinity, credit: 0 };
  #mode: CircuitMode = "auto";
  /** Which state period it is. */
  #generation = 0;
  #openings = 0;
  #consecutive = 0;
  #inFlight = 0;
  #lastFailure: unknown = undefined;
  #successes = 0;
  #failures = 0;
  #slow = 0;
  #ignored = 0;
  #rejected = 0;
  #opens = 0;

  /** Creates a breaker that is closed. */
  constructor(options: CircuitBreakerOptions = {}) {
    this.#plan = planOf(options);
    this.#options = options;
    this.#random = options.random ?? defaultRandom;
    const { window } = this.#plan;
    this.#window = window.kind === "count"
      ? new CountWindow(window.size)
      : new TimeWindow(Number(window.ms), window.segments ?? 10);
    this.#step = defineLayers(this, [this.#layer()]);
  }

  /** How errors and reports call the breaker. */
  get name(): string {
    return this.#plan.name;
  }

  /** What the breaker does by itself, as of the last call. */
  get state(): CircuitState {
    return this.#phase.state;
  }

  /** What was decided about the breaker. */
  get mode(): CircuitMode {
    return this.#mode;
  }

  /** How many calls are under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** How many calls wait for the verdict of the probes. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The failure that came last, if there was one. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** Whether a new breaker could stand in for this one. */
  get pristine(): boolean {
    return this.#phase.state === "closed" && this.#mode === "auto" &&
      this.#inFlight === 0 && this.#openings === 0 && this.#consecutive === 0 &&
      this.#window.counts(currentFrame().loop.time()).calls === 0;
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
    this.#decide("isolated");
  }

  /** Lets all calls through and counts none, until `resume` or another decision. */
  bypass(): void {
    this.#decide("bypassed");
  }

  /** Counts all calls and refuses none, until `resume` or another decision. */
  shadow(): void {
    this.#decide("shadow");
  }

  /** Leaves the breaker to itself again. */
  resume(): void {
    this.#decide("auto");
  }

  /** Opens the circuit now, as if too many calls had failed. */
  open(): void {
    const { loop } = currentFrame();
    if (this.#phase.state !== "open") this.#open(loop, "decided", 0);
  }

  /** Closes the circuit now, without a ramp, and forgets all that was counted. */
  reset(): void {
    const { loop } = currentFrame();
    this.#openings = 0;
    this.#close(loop, "decided", -Infinity);
  }

  /**
   * The breaker as plain data. To look changes nothing.
   *
   * @returns The data.
   */
  snapshot(): CircuitSnapshot {
    const now = currentFrame().loop.time();
    const phase = this.#phase;
    return {
      state: phase.state,
      mode: this.#mode,
      reopensInMs: phase.state === "open" ? Math.max(0, phase.until - now) : 0,
      openings: this.#openings,
      inFlight: this.#inFlight,
      window: this.#window.counts(now),
      totals: {
        successes: this.#successes,
        failures: this.#failures,
        slow: this.#slow,
        ignored: this.#ignored,
        rejected: this.#rejected,
        opens: this.#opens,
      },
    };
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
    this.#openings = openings;
    this.#mode = mode;
    if (state === "closed") this.#close(loop, "decided", -Infinity);
    else {
      const until = loop.time() + (state === "open" ? reopensInMs : 0);
      this.#enter(loop, { state: "open", until }, "decided");
    }
  }

  #layer(): GuardLayer<Admission> {
    return {
      kind: "guard",
      enter: (call) => this.#admit(call),
      exit: (call, admission, outcome) => this.#leave(call, admission, outcome),
      facts: () => ({
        policy: "circuit-breaker",
        name: this.name,
        text: this.#describe(),
        worst: (inner) => ({
          ms: inner.ms + this.#plan.waitMs,
          attempts: inner.attempts,
        }),
      }),
    };
  }

  #describe(): string {
    const { failureRate, minimumCalls, openMs, consecutiveFailures } =
      this.#plan;
    const rate = `${failureRate * 100} % of at least ${minimumCalls} calls`;
    const row = consecutiveFailures === Infinity
      ? ""
      : ` or ${consecutiveFailures} in a row`;
    return `opens for ${openMs} ms or more when ${rate}${row} fail`;
  }

  /** Lets a call through, at once or after the verdict of the probes. */
  #admit(call: PolicyCall): Admission | Promise<Admission> {
    const { loop } = call.frame;
    if (this.#mode === "isolated") {
      throw this.#reject(loop, new CircuitIsolatedError(this.name));
    }
    if (this.#mode === "bypassed") {
      this.#inFlight++;
      return UNCOUNTED;
    }
    const now = loop.time();
    this.#countSlow(loop, now);
    const refusal = this.#refusal(loop, now);
    if (refusal === undefined || this.#mode === "shadow") {
      return this.#begin(now, refusal === undefined);
    }
    const { waitMs } = this.#plan;
    if (refusal.state === "half-open" && waitMs > 0) {
      return this.#await(call, now + waitMs);
    }
    throw this.#reject(loop, refusal);
  }

  /** Why a call may not pass now; a circuit whose time is over becomes half-open. */
  #refusal(loop: EventLoop, now: number): CircuitOpenError | undefined {
    const phase = this.#phase;
    if (phase.state === "closed") return this.#rampRefusal(phase, now);
    if (phase.state === "open") {
      if (now < phase.until) {
        return this.#openError("open", phase.until - now);
      }
      this.#halfOpen(loop);
      return this.#refusal(loop, now);
    }
    const { probes } = phase;
    probes.expire(now);
    this.#judgeProbes(loop, probes);
    if (this.#phase !== phase) return this.#refusal(loop, now);
    if (probes.hasPlace) return undefined;
    const left = Math.min(probes.remainingMs(now), this.#plan.openMs);
    return this.#openError("half-open", Math.max(1, left));
  }

  #rampRefusal(
    phase: Phase & { state: "closed" },
    now: number,
  ): CircuitOpenError | undefined {
    const { rampMs } = this.#plan;
    const elapsed = now - phase.since;
    if (elapsed >= rampMs) return undefined;
    const step = Math.floor(elapsed / rampMs * RAMP.length);
    phase.credit += RAMP[step] ?? 1;
    if (phase.credit >= 1) {
      phase.credit -= 1;
      return undefined;
    }
    const nextStep = (step + 1) / RAMP.length * rampMs;
    return this.#openError("closed", Math.max(1, nextStep - elapsed));
  }

  #begin(now: number, isRegular: boolean): Admission {
    const phase = this.#phase;
    const isProbe = phase.state === "half-open" && isRegular;
    const admission = new Admission(this.#generation, now, isProbe);
    this.#inFlight++;
    if (phase.state === "half-open" && isProbe) phase.probes.begin(admission);
    else if (this.#plan.slowMs !== Infinity) this.#pending.push(admission);
    return admission;
  }

  async #await(call: PolicyCall, limit: number): Promise<Admission> {
    const { loop } = call.frame;
    for (;;) {
      const now = loop.time();
      const refusal = this.#refusal(loop, now);
      if (refusal === undefined) return this.#begin(now, true);
      if (refusal.state !== "half-open" || now >= limit) {
        throw this.#reject(loop, refusal);
      }
      const claim = new Claim<void>(call.frame, `the probes of "${this.name}"`);
      this.#waiting.push(claim as Claim);
      const timer = loop.timers.at(limit, {
        label: claim.label,
        expire: () => claim.grant(undefined),
      });
      claim.cleanup = () => timer.cancel();
      await claim.wait();
    }
  }

  /** A call is over. */
  #leave(
    call: PolicyCall,
    admission: Admission,
    outcome: PolicyOutcome,
  ): undefined {
    this.#inFlight--;
    if (admission === UNCOUNTED) return undefined;
    const { loop } = call.frame;
    const now = loop.time();
    const told = call.classify(outcome, this.#options.classify);
    const slow = now - admission.startedAt >= this.#plan.slowMs;
    this.#tally(told, slow, outcome);
    const isCurrent = admission.generation === this.#generation;
    const phase = this.#phase;
    if (isCurrent && phase.state === "half-open" && admission.isProbe) {
      const isBad = told === "success" && slow;
      phase.probes.end(admission, isBad ? "failure" : told);
      this.#judgeProbes(loop, phase.probes);
    } else {
      this.#unlink(admission);
      if (isCurrent && phase.state === "closed" && !admission.counted) {
        this.#count(loop, told, slow, hintOf(outcome));
      }
    }
    // Whoever waits may have the place that is free now.
    if (this.#waiting.size > 0) this.#wake();
    return undefined;
  }

  #tally(told: OutcomeClass, slow: boolean, outcome: PolicyOutcome): void {
    if (told === "ignore") {
      this.#ignored++;
      return;
    }
    if (slow) this.#slow++;
    if (told === "success") {
      this.#successes++;
      return;
    }
    this.#failures++;
    this.#lastFailure = outcome.ok ? outcome.value : outcome.error;
  }

  /** A call counts that was let through while the circuit was closed. */
  #count(
    loop: EventLoop,
    told: OutcomeClass,
    slow: boolean,
    hintMs: number,
  ): void {
    if (told === "ignore") return;
    const failed = told === "failure";
    this.#consecutive = failed ? this.#consecutive + 1 : 0;
    const now = loop.time();
    this.#window.add({ failed, slow }, now);
    this.#judge(loop, now, hintMs);
  }

  /** Calls that take too long already count as slow, long before they are over. */
  #countSlow(loop: EventLoop, now: number): void {
    const { slowMs } = this.#plan;
    for (
      let oldest = this.#pending.head;
      oldest !== undefined && now - oldest.startedAt >= slowMs;
      oldest = this.#pending.head
    ) {
      this.#pending.shift();
      oldest.counted = true;
      const isCurrent = oldest.generation === this.#generation;
      if (!isCurrent || this.#phase.state !== "closed") continue;
      this.#window.add({ failed: false, slow: true }, now);
      this.#judge(loop, now, 0);
    }
  }

  /** Opens the circuit if too many calls have failed, or were slow. */
  #judge(loop: EventLoop, now: number, hintMs: number): void {
    const plan = this.#plan;
    if (this.#consecutive >= plan.consecutiveFailures) {
      return this.#open(loop, "failures", hintMs);
    }
    const { calls, failures, slow } = this.#window.counts(now);
    if (calls < plan.minimumCalls) return;
    if (failures >= plan.failureRate * calls) {
      this.#open(loop, "failures", hintMs);
    } else if (plan.slowMs !== Infinity && slow >= plan.slowRate * calls) {
      this.#open(loop, "slow-calls", hintMs);
    }
  }

  #judgeProbes(loop: EventLoop, probes: Probes): void {
    const { verdict } = probes;
    if (verdict === "failed") this.#open(loop, "probes-failed", 0);
    if (verdict === "succeeded") {
      this.#close(loop, "probes-succeeded", loop.time());
    }
  }

  #open(loop: EventLoop, why: CircuitChangeReason, hintMs: number): void {
    const { openMs, maxOpenMs, jitter } = this.#plan;
    const now = loop.time();
    const phase = this.#phase;
    // A circuit that was closed for long begins anew.
    const isStable = phase.state === "closed" &&
      now - phase.since >= maxOpenMs;
    this.#openings = isStable ? 1 : this.#openings + 1;
    const grown = openMs * GROWTH ** Math.min(this.#openings - 1, 64);
    const longest = Math.min(grown, maxOpenMs);
    const ms = longest * (1 - jitter + jitter * this.#random());
    this.#opens++;
    this.#enter(
      loop,
      { state: "open", until: now + Math.max(ms, hintMs) },
      why,
    );
  }

  #halfOpen(loop: EventLoop): void {
    const probes = new Probes(this.#plan);
    this.#enter(loop, { state: "half-open", probes }, "time-to-probe");
  }

  #close(loop: EventLoop, why: CircuitChangeReason, since: number): void {
    this.#enter(loop, { state: "closed", since, credit: 1 - FIRST_STEP }, why);
  }

  /** Begins another state period; hooks are told once all is done. */
  #enter(loop: EventLoop, phase: Phase, why: CircuitChangeReason): void {
    const from = this.#phase.state;
    this.#phase = phase;
    this.#generation++;
    this.#consecutive = 0;
    this.#window.clear();
    while (this.#pending.size > 0) this.#pending.shift();
    if (phase.state !== "half-open") this.#wake();
    if (this.#options.onStateChange === undefined) return;
    if (from === phase.state) return;
    callHook(loop, this.name, this.#options.onStateChange, {
      name: this.name,
      from,
      to: phase.state,
      why,
      snapshot: this.snapshot(),
    });
  }

  #decide(mode: CircuitMode): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#wake();
  }

  /** Lets those who wait look again. */
  #wake(): void {
    for (let c = this.#waiting.shift(); c; c = this.#waiting.shift()) {
      c.grant(undefined);
    }
  }

  #unlink(admission: Admission): void {
    const isLinked = admission.prev !== undefined ||
      this.#pending.head === admission;
    if (isLinked) this.#pending.remove(admission);
  }

  #openError(state: CircuitState, retryAfterMs: number): CircuitOpenError {
    const failure = this.#lastFailure;
    return new CircuitOpenError(this.name, {
      state,
      retryAfterMs,
      ...(failure === undefined ? {} : { cause: failure }),
    });
  }

  #reject<E extends PolicyError>(loop: EventLoop, error: E): E {
    this.#rejected++;
    callHook(loop, this.name, this.#options.onReject, {
      name: this.name,
      error,
    });
    return error;
  }
}

/** How long the one who failed asks to be left alone. */
function hintOf(outcome: PolicyOutcome): number {
  if (outcome.ok || !(outcome.error instanceof Error)) return 0;
  const { retryAfterMs } = outcome.error as { retryAfterMs?: unknown };
  const isHint = typeof retryAfterMs === "number" && retryAfterMs > 0 &&
    retryAfterMs !== Infinity;
  return isHint ? retryAfterMs : 0;
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
