import { sleep } from "../primitives/sleep.ts";
import { callHook, isRefusal, type PolicyCall } from "./_call.ts";
import { discard } from "./_discard.ts";
import type { GuardLayer, LayerFacts, Verdict, WorstCase } from "./_layers.ts";
import {
  isRetriableByDefault,
  responseOf,
  retryAfterOf,
} from "./_retriable.ts";
import { RetryExhaustedError } from "./_retry_errors.ts";
import type { PolicyOutcome } from "./policy.ts";
import type {
  RetryAttempt,
  RetryEvent,
  RetryOptions,
  RetryReason,
  RetrySnapshot,
} from "./retry.ts";
import type { Schedule, ScheduleStep } from "./schedule.ts";

/** All options, with their defaults in place. */
export interface RetrySettings extends RetryOptions {
  readonly name: string;
  readonly attempts: number;
  readonly schedule: Schedule;
  readonly maxDelayMs: number;
  readonly idempotent: boolean;
  readonly throwLast: boolean;
  readonly nested: "once" | "retry";
  readonly random: () => number;
}

/** By how much a hint of the server is exceeded at most, to spread callers. */
const HINT_SPREAD = 0.1;

/** How many delays are looked at to tell the worst case. */
const MOST_DELAYS = 1000;

const NONE: RetryAttempt[] = [];

/** One call, over all of its attempts. */
class RetryRun {
  readonly startedAt: number;
  attemptAt: number;
  count = 1;
  /** Whether this attempt was paid for out of the budget. */
  paid = false;
  attempts: RetryAttempt[] = NONE;
  step: ScheduleStep | undefined = undefined;

  constructor(now: number) {
    this.startedAt = now;
    this.attemptAt = now;
  }
}

/** What a retry does to a call on its way in and out. */
export class RetryGuard implements GuardLayer<RetryRun> {
  readonly kind = "guard";
  readonly settings: RetrySettings;
  #calls = 0;
  #attempts = 0;
  #successes = 0;
  #gaveUp = 0;
  #waiting = 0;

  constructor(settings: RetrySettings) {
    this.settings = settings;
  }

  snapshot(): RetrySnapshot {
    return {
      calls: this.#calls,
      attempts: this.#attempts,
      retries: this.#attempts - this.#calls,
      successes: this.#successes,
      gaveUp: this.#gaveUp,
      waiting: this.#waiting,
    };
  }

  facts(): LayerFacts {
    const { name, budget } = this.settings;
    const { attempts, waitMs } = this.#worst();
    const most = attempts === Infinity
      ? "endless attempts"
      : `at most ${attempts} attempts, ${Math.round(waitMs)} ms of waiting`;
    const shared = budget === undefined ? "" : ", within a budget";
    return {
      policy: "retry",
      name,
      text: `${most}${shared}`,
      worst: (inner): WorstCase => ({
        ms: inner.ms * attempts + waitMs,
        attempts: inner.attempts * attempts,
      }),
    };
  }

  /** How many attempts there may be, and how long the waits between them are. */
  #worst(): { attempts: number; waitMs: number } {
    const { attempts, schedule } = this.settings;
    const asked = Math.min(attempts - 1, MOST_DELAYS);
    const delays = schedule.delays(asked, { random: () => 1 });
    const waitMs = delays.reduce((sum, ms) => sum + ms, 0);
    if (delays.length < asked) return { attempts: delays.length + 1, waitMs };
    if (attempts - 1 === asked) return { attempts, waitMs };
    if (attempts === Infinity) return { attempts, waitMs: Infinity };
    // By then a schedule does not change any more.
    const others = (attempts - 1 - asked) * (delays.at(-1) ?? 0);
    return { attempts, waitMs: waitMs + others };
  }

  enter(call: PolicyCall): RetryRun {
    this.#calls++;
    this.#attempts++;
    this.settings.budget?.enter();
    const run = new RetryRun(call.frame.loop.time());
    if (this.settings.onAttempt !== undefined) {
      this.#tell(this.settings.onAttempt, call, run, {});
    }
    return run;
  }

  exit(
    call: PolicyCall,
    run: RetryRun,
    outcome: PolicyOutcome,
  ): Verdict | Promise<Verdict> {
    const { budget, classify } = this.settings;
    if (run.paid) {
      run.paid = false;
      budget?.release();
    }
    const told = call.classify(outcome, classify, "failure");
    if (told === "failure") return this.#failed(call, run, outcome);
    if (told === "success") this.#successes++;
    budget?.leave(told === "success");
    return undefined;
  }

  #failed(
    call: PolicyCall,
    run: RetryRun,
    outcome: PolicyOutcome,
  ): Verdict | Promise<Verdict> {
    const now = call.frame.loop.time();
    const delay = this.#decide(call, run, outcome, now);
    const waits = typeof delay === "number";
    if (run.attempts === NONE) run.attempts = [];
    run.attempts.push({
      error: outcome.ok ? undefined : outcome.error,
      value: outcome.ok ? outcome.value : undefined,
      startedAt: run.attemptAt,
      durationMs: now - run.attemptAt,
      delayMs: waits ? delay : 0,
    });
    if (waits) return this.#again(call, run, outcome, delay);
    return this.#giveUp(call, run, outcome, delay);
  }

  /** What is next; if a function of the options throws, that is the end. */
  #decide(
    call: PolicyCall,
    run: RetryRun,
    outcome: PolicyOutcome,
    now: number,
  ): number | RetryReason {
    try {
      return this.#delayAfter(call, run, outcome, now);
    } catch (error) {
      this.settings.budget?.leave(false);
      this.#gaveUp++;
      throw error;
    }
  }

  /** How long to wait for the next attempt, or why there is none. */
  #delayAfter(
    call: PolicyCall,
    run: RetryRun,
    outcome: PolicyOutcome,
    now: number,
  ): number | RetryReason {
    const { attempts, budget, maxDelayMs, nested, random } = this.settings;
    if (!this.#isRetriable(call, outcome)) return "not-retriable";
    if (run.count >= attempts) return "attempts";
    // Within its own later attempts, the depth is one more.
    const own = run.count > 1 ? 1 : 0;
    if (nested === "once" && call.retryDepth > own) return "nested";
    const hint = retryAfterOf(outcome);
    // A server that says when is believed: never earlier, rather not at all.
    if (hint !== undefined && (hint > maxDelayMs || hint === Infinity)) {
      return "too-late";
    }
    run.step ??= this.settings.schedule.begin();
    const scheduled = run.step({
      attempt: run.count,
      elapsedMs: now - run.startedAt,
      lastDelayMs: run.attempts.at(-1)?.delayMs ?? 0,
      error: outcome.ok ? outcome.value : outcome.error,
      random,
    });
    if (scheduled === undefined) return "schedule";
    const delay = hint === undefined
      ? scheduled
      : hint + hint * HINT_SPREAD * random();
    const { remainingMs } = call;
    if (delay >= remainingMs && remainingMs !== Infinity) return "too-late";
    if (budget === undefined) return delay;
    if (!budget.tryAcquire()) return "budget";
    run.paid = true;
    return delay;
  }

  #isRetriable(call: PolicyCall, outcome: PolicyOutcome): boolean {
    const { idempotent } = this.settings;
    if (outcome.ok) return idempotent;
    const { error } = outcome;
    if (!idempotent && !isRefusal(error)) return false;
    return this.#ask(call, error) ?? isRetriableByDefault(error);
  }

  #ask(call: PolicyCall, error: unknown): boolean | undefined {
    const { isRetriable, name } = this.settings;
    try {
      return isRetriable?.(error, call);
    } catch (exception) {
      const message =
        `Cannot tell whether to try "${name}" again: "isRetriable" has thrown`;
      call.frame.loop.report({ message, exception });
      return undefined;
    }
  }

  async #again(
    call: PolicyCall,
    run: RetryRun,
    outcome: PolicyOutcome,
    delayMs: number,
  ): Promise<Verdict> {
    const { budget, onAttempt, onRetry } = this.settings;
    call.end(false);
    discard(
      outcome.ok ? outcome.value : responseOf(outcome.error),
      call.frame.loop,
    );
    this.#waiting++;
    if (onRetry !== undefined) this.#tell(onRetry, call, run, { delayMs });
    try {
      await sleep(delayMs);
    } catch (error) {
      if (run.paid) budget?.release();
      budget?.leave(false);
      throw error;
    } finally {
      this.#waiting--;
    }
    run.count++;
    run.attemptAt = call.frame.loop.time();
    this.#attempts++;
    const next = call.again(outcome.ok ? outcome.value : outcome.error);
    if (onAttempt !== undefined) this.#tell(onAttempt, next, run, {});
    return next;
  }

  #giveUp(
    call: PolicyCall,
    run: RetryRun,
    outcome: PolicyOutcome,
    reason: RetryReason,
  ): Verdict {
    const { budget, name, onBudgetExhausted, onGiveUp, throwLast } =
      this.settings;
    budget?.leave(false);
    this.#gaveUp++;
    if (reason === "budget") {
      this.#tell(onBudgetExhausted, call, run, { reason });
    }
    this.#tell(onGiveUp, call, run, { reason });
    if (reason === "nested" && call.frame.loop.debug) {
      call.frame.loop.report({
        message:
          `Cannot try "${name}" again: it runs inside of another retry, which will`,
      });
    }
    const { attempts } = run;
    if (outcome.ok || throwLast || attempts.length === 1) return undefined;
    if (reason !== "attempts" && reason !== "schedule") return undefined;
    const error = new RetryExhaustedError({ policy: name, reason, attempts });
    return { ok: false, error };
  }

  #tell(
    hook: ((event: RetryEvent) => unknown) | undefined,
    call: PolicyCall,
    run: RetryRun,
    more: Pick<RetryEvent, "delayMs" | "reason">,
  ): void {
    if (hook === undefined) return;
    const { name } = this.settings;
    const { loop } = call.frame;
    callHook(loop, name, hook, {
      policy: name,
      attempt: run.count,
      error: run.attempts.at(-1)?.error,
      elapsedMs: loop.time() - run.startedAt,
      attempts: [...run.attempts],
      snapshot: this.snapshot(),
      ...more,
    });
  }
}
