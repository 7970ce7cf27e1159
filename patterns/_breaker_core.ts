import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import { refusal } from "../_internal/refuse.ts";
import { CircuitIsolatedError, CircuitOpenError } from "./_breaker_errors.ts";
import type { BreakerPlan } from "./_breaker_options.ts";
import { Admission, Probes } from "./_breaker_probes.ts";
import { Ramp } from "./_breaker_ramp.ts";
import type {
  CircuitChangeReason,
  CircuitMode,
  CircuitSnapshot,
  CircuitState,
} from "./_breaker_types.ts";
import { type BreakerWindow, windowOf } from "./_breaker_window.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import { retryAfterOf } from "./_retriable.ts";
import type { OutcomeClass, PolicyError, PolicyOutcome } from "./policy.ts";

/** How much longer a circuit stays open each time. */
const GROWTH = 2;

/** What a closed circuit knows, an open one, and a half-open one. */
type Phase =
  | { readonly state: "closed"; readonly ramp: Ramp }
  | { readonly state: "open"; readonly until: number }
  | { readonly state: "half-open"; readonly probes: Probes };

/** Calls that were let through without being counted. */
const UNCOUNTED = new Admission(-1, 0, false);

/** The states of a breaker, and what takes it from one to the next. */
export class BreakerCore {
  readonly plan: BreakerPlan;
  readonly window: BreakerWindow;
  readonly totals = {
    successes: 0,
    failures: 0,
    slow: 0,
    ignored: 0,
    rejected: 0,
    opens: 0,
  };
  mode: CircuitMode = "auto";
  openings = 0;
  inFlight = 0;
  /** How many calls in a row have failed. */
  consecutive = 0;
  lastFailure: unknown = undefined;
  #phase: Phase;
  /** Which state period it is: a result counts only in that of its call. */
  #generation = 0;
  /** What calls of this period share, unless it matters when they began. */
  #common = new Admission(0, 0, false);
  /** Whether it matters when calls begin and end, as long as all is well. */
  readonly #isTimed: boolean;
  /** Invariant: calls wait only while the circuit is half-open without a place. */
  readonly #waiting = new ClaimList();
  /** Calls in flight that would be slow at some time, oldest first. */
  readonly #pending = new LinkedList<Admission>();

  constructor(plan: BreakerPlan) {
    this.plan = plan;
    this.window = windowOf(plan.window);
    this.#phase = { state: "closed", ramp: new Ramp(-Infinity, plan.rampMs) };
    this.#isTimed = plan.slowMs !== Infinity || plan.window.kind === "time";
  }

  get state(): CircuitState {
    return this.#phase.state;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Lets a call through, at once or when a probe has given up its place. */
  admit(call: PolicyCall): Admission | Promise<Admission> {
    const phase = this.#phase;
    if (
      phase.state === "closed" && phase.ramp.since === -Infinity &&
      !this.#isTimed && this.mode === "auto"
    ) {
      this.inFlight++;
      return this.#common;
    }
    const { loop } = call.frame;
    const now = loop.time();
    this.#countSlow(loop, now);
    this.#refresh(loop, now);
    // A probe that has just become too late gives its place to who waits.
    this.#serve(loop, now);
    const answer = this.#answer(now);
    if (answer instanceof Admission) return answer;
    const mayWait = answer instanceof CircuitOpenError &&
      answer.state === "half-open" && this.plan.waitMs > 0;
    if (mayWait) return this.#wait(call);
    throw this.#reject(loop, answer);
  }

  /** A call is over. */
  leave(
    call: PolicyCall,
    admission: Admission,
    outcome: PolicyOutcome,
  ): void {
    this.inFlight--;
    if (admission === UNCOUNTED) return;
    const { loop } = call.frame;
    const now = this.#isTimed ? loop.time() : 0;
    const told = call.classify(outcome, this.plan.classify);
    const slow = now - admission.startedAt >= this.plan.slowMs;
    this.#tally(told, slow, outcome);
    const isCurrent = admission.generation === this.#generation;
    const phase = this.#phase;
    if (admission.isProbe) {
      // What comes of an earlier period is no longer in anybody's list.
      if (isCurrent && phase.state === "half-open") {
        phase.probes.end(
          admission,
          slow && told === "success" ? "failure" : told,
        );
        this.#judgeProbes(loop, phase.probes);
      }
    } else {
      this.#unlink(admission);
      const counts = isCurrent && phase.state === "closed" &&
        !admission.counted && told !== "ignore";
      if (counts) this.#count(loop, told === "failure", slow, now, outcome);
    }
    if (this.#waiting.size > 0) this.#serve(loop, loop.time());
  }

  /** Opens the circuit, for as long as its history asks for. */
  open(loop: EventLoop, why: CircuitChangeReason, hintMs: number): void {
    const { openMs, maxOpenMs, jitter, random } = this.plan;
    const now = loop.time();
    const phase = this.#phase;
    // A circuit that was closed for long begins anew.
    const isStable = phase.state === "closed" &&
      now - phase.ramp.since >= maxOpenMs;
    this.openings = isStable ? 1 : this.openings + 1;
    const grown = openMs * GROWTH ** Math.min(this.openings - 1, 64);
    const longest = Math.min(grown, maxOpenMs);
    const ms = longest * (1 - jitter + jitter * random());
    this.totals.opens++;
    this.openUntil(loop, now + Math.max(ms, hintMs), why);
  }

  openUntil(loop: EventLoop, until: number, why: CircuitChangeReason): void {
    this.#enter(loop, { state: "open", until }, why);
  }

  /** Closes the circuit; with a `since` of `-Infinity` there is no ramp. */
  close(loop: EventLoop, why: CircuitChangeReason, since: number): void {
    const ramp = new Ramp(since, this.plan.rampMs);
    this.#enter(loop, { state: "closed", ramp }, why);
  }

  decide(loop: EventLoop, mode: CircuitMode): void {
    if (this.mode === mode) return;
    this.mode = mode;
    this.#serve(loop, loop.time());
  }

  snapshot(now: number): CircuitSnapshot {
    const phase = this.#phase;
    this.window.advance(now);
    const { calls, failures, slow } = this.window;
    return {
      state: phase.state,
      mode: this.mode,
      reopensInMs: phase.state === "open" ? Math.max(0, phase.until - now) : 0,
      openings: this.openings,
      inFlight: this.inFlight,
      window: { calls, failures, slow },
      totals: { ...this.totals },
    };
  }

  /** Does what has become due: nothing happens by itself in the meantime. */
  #refresh(loop: EventLoop, now: number): void {
    if (this.#phase.state === "open" && now >= this.#phase.until) {
      const probes = new Probes(this.plan);
      this.#enter(loop, { state: "half-open", probes }, "time-to-probe");
    }
    if (this.#phase.state !== "half-open") return;
    const { probes } = this.#phase;
    probes.expire(now);
    this.#judgeProbes(loop, probes);
  }

  /** What a call gets at this moment: it is let through, or refused. */
  #answer(now: number): Admission | PolicyError {
    if (this.mode === "isolated") {
      return new CircuitIsolatedError(this.plan.name);
    }
    if (this.mode === "bypassed") {
      this.inFlight++;
      return UNCOUNTED;
    }
    const error = this.#refusal(now);
    if (error !== undefined && this.mode !== "shadow") return error;
    return this.#begin(now, error === undefined);
  }

  /** Why a call may not pass now. */
  #refusal(now: number): CircuitOpenError | undefined {
    const phase = this.#phase;
    if (phase.state === "closed") {
      const waitMs = phase.ramp.pass(now);
      return waitMs === 0 ? undefined : this.#error("closed", waitMs);
    }
    if (phase.state === "open") {
      return this.#error("open", Math.max(1, phase.until - now));
    }
    const { probes } = phase;
    if (probes.hasPlace) return undefined;
    const left = Math.min(probes.remainingMs(now), this.plan.openMs);
    return this.#error("half-open", Math.max(1, left));
  }

  #begin(now: number, isRegular: boolean): Admission {
    const phase = this.#phase;
    const isProbe = phase.state === "half-open" && isRegular;
    const admission = new Admission(this.#generation, now, isProbe);
    this.inFlight++;
    if (phase.state === "half-open" && isProbe) phase.probes.begin(admission);
    else if (this.plan.slowMs !== Infinity) this.#pending.push(admission);
    return admission;
  }

  #wait(call: PolicyCall): Promise<Admission> {
    const { frame } = call;
    const { loop } = frame;
    const refused = refusal(frame, "wait for a probe");
    if (refused !== undefined) return refused;
    const { name, waitMs } = this.plan;
    const claim = new Claim<Admission>(frame, `the probes of "${name}"`);
    this.#waiting.push(claim as Claim);
    const timer = loop.timers.after(waitMs, {
      label: claim.label,
      expire: () => {
        const now = loop.time();
        this.#refresh(loop, now);
        this.#serve(loop, now);
        if (!claim.pending) return;
        // It is still without a place, or it would have been answered.
        const error = this.#refusal(now);
        if (error !== undefined) claim.fail(this.#reject(loop, error));
      },
    });
    claim.cleanup = () => timer.cancel();
    return claim.wait();
  }

  /** Answers those who wait, one after another, as far as there is an answer. */
  #serve(loop: EventLoop, now: number): void {
    while (this.#waiting.head !== undefined) {
      const answer = this.#answer(now);
      const isWait = answer instanceof CircuitOpenError &&
        answer.state === "half-open";
      if (isWait) return;
      const claim = this.#waiting.shift();
      if (answer instanceof Admission) claim?.grant(answer);
      else claim?.fail(this.#reject(loop, answer));
    }
  }

  #tally(told: OutcomeClass, slow: boolean, outcome: PolicyOutcome): void {
    const { totals } = this;
    if (told === "ignore") {
      totals.ignored++;
      return;
    }
    if (slow) totals.slow++;
    if (told === "success") {
      totals.successes++;
      return;
    }
    totals.failures++;
    this.lastFailure = outcome.ok ? outcome.value : outcome.error;
  }

  /** A call counts that was let through while the circuit was closed. */
  #count(
    loop: EventLoop,
    failed: boolean,
    slow: boolean,
    now: number,
    outcome: PolicyOutcome,
  ): void {
    this.consecutive = failed ? this.consecutive + 1 : 0;
    this.window.add(failed, slow, now);
    this.#judge(loop, failed ? hintOf(outcome) : 0);
  }

  /** Calls that take too long already count as slow, long before they are over. */
  #countSlow(loop: EventLoop, now: number): void {
    const { slowMs } = this.plan;
    for (
      let oldest = this.#pending.head;
      oldest !== undefined && now - oldest.startedAt >= slowMs;
      oldest = this.#pending.head
    ) {
      this.#pending.shift();
      oldest.counted = true;
      if (this.#phase.state !== "closed") continue;
      this.window.add(false, true, now);
      this.#judge(loop, 0);
    }
  }

  /** Opens the circuit if too many calls have failed, or were slow. */
  #judge(loop: EventLoop, hintMs: number): void {
    const { plan } = this;
    const { calls, failures, slow } = this.window;
    const isRow = this.consecutive >= plan.consecutiveFailures;
    if (!isRow && calls < plan.minimumCalls) return;
    if (isRow || failures >= plan.failureRate * calls) {
      this.open(loop, "failures", hintMs);
    } else if (plan.slowMs !== Infinity && slow >= plan.slowRate * calls) {
      this.open(loop, "slow-calls", hintMs);
    }
  }

  #judgeProbes(loop: EventLoop, probes: Probes): void {
    const { verdict } = probes;
    if (verdict === "failed") this.open(loop, "probes-failed", 0);
    if (verdict === "succeeded") {
      this.close(loop, "probes-succeeded", loop.time());
    }
  }

  /** Begins another state period; hooks are told once all is done. */
  #enter(loop: EventLoop, phase: Phase, why: CircuitChangeReason): void {
    const from = this.#phase.state;
    this.#phase = phase;
    this.#generation++;
    this.#common = new Admission(this.#generation, 0, false);
    this.consecutive = 0;
    this.window.clear();
    while (this.#pending.size > 0) this.#pending.shift();
    if (phase.state !== "half-open") this.#serve(loop, loop.time());
    const { name, onStateChange } = this.plan;
    if (onStateChange === undefined || from === phase.state) return;
    const snapshot = this.snapshot(loop.time());
    const change = { name, from, to: phase.state, why, snapshot };
    callHook(loop, name, onStateChange, change);
  }

  #unlink(admission: Admission): void {
    const isLinked = admission.prev !== undefined ||
      this.#pending.head === admission;
    if (isLinked) this.#pending.remove(admission);
  }

  #error(state: CircuitState, retryAfterMs: number): CircuitOpenError {
    const { lastFailure: cause } = this;
    return new CircuitOpenError(this.plan.name, {
      state,
      retryAfterMs,
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #reject<E extends PolicyError>(loop: EventLoop, error: E): E {
    const { name, onReject } = this.plan;
    this.totals.rejected++;
    callHook(loop, name, onReject, { name, error });
    return error;
  }
}

/** How long the one who failed asks to be left alone. */
function hintOf(outcome: PolicyOutcome): number {
  const hint = retryAfterOf(outcome) ?? 0;
  return hint === Infinity ? 0 : hint;
}
