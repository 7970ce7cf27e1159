/**
 * Health checks that run in the background, so that whoever asks gets an answer at
 * once: has the program come up, is it alive, can it do work?
 *
 * ```ts
 * import { HealthChecks } from "@ilmek/async/health";
 *
 * const health = new HealthChecks([
 *   { name: "database", check: () => true },
 *   { name: "cache", check: () => false, optional: true },
 * ]);
 * await health.refresh();
 * health.markStarted();
 *
 * console.log(health.report().ready); // Yes, but degraded.
 * ```
 *
 * @module
 */
import {
  checkChoice,
  checkFunction,
  type Duration,
  show,
  toLimitMs,
  toMs,
} from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { sleep } from "../primitives/sleep.ts";
import { callHook } from "./_call.ts";
import type {
  HealthAnswer,
  HealthCheck,
  HealthCheckResult,
  HealthKind,
  HealthReport,
} from "./_health_types.ts";
import { Probe, type ProbePlan } from "./_probe.ts";

export type { Duration } from "../_internal/check.ts";
export * from "./_health_types.ts";

const DOING = "create health checks";
const KINDS: readonly HealthKind[] = ["startup", "live", "ready"];

/** Options of {@linkcode HealthChecks}. */
export interface HealthChecksOptions {
  /**
   * How long to wait between two looks in the background.
   *
   * @default {5000}
   */
  intervalMs?: Duration;
  /**
   * How long a check may take, unless it says so itself.
   *
   * @default {2000}
   */
  timeoutMs?: Duration;
  /**
   * How old the result of a check may be. After that nothing is known of it, which
   * counts as not ready, but not as dead.
   *
   * @default {three times the interval, and the longest timeout}
   */
  staleAfterMs?: Duration;
  /**
   * By how much the loop may be late, before it does not count as alive; `null` for
   * any time.
   *
   * @default {10000}
   */
  maxLagMs?: Duration | null;
  /** Told after each look at all checks. */
  onReport?: (report: HealthReport) => void;
}

/**
 * Looks after the health of a program.
 *
 * Checks run in the background, by {@linkcode HealthChecks.run}, each for a limited
 * time, and never twice at once. What they found is kept: {@linkcode
 * HealthChecks.report} only reads it. The three questions are kept apart: a database
 * that is down makes a program not ready, but it stays alive; nobody should start it
 * again for that. While it is drained it is not ready, but alive.
 *
 * @example Keep what is optional apart
 * ```ts
 * import { HealthChecks } from "@ilmek/async/health";
 * import { assert, assertEquals } from "@std/assert";
 *
 * let isUp = true;
 * const health = new HealthChecks([
 *   { name: "database", check: () => isUp },
 *   { name: "cache", check: () => false, optional: true },
 * ]);
 * health.markStarted();
 * await health.refresh();
 * assert(health.report().ready.ok && health.report().ready.degraded);
 *
 * isUp = false;
 * const { ready, live } = await health.refresh();
 *
 * assertEquals([ready.ok, live.ok], [false, true]);
 * assertEquals(ready.reasons[0], "database: Cannot pass health check " +
 *   '"database": it gave false');
 * ```
 */
export class HealthChecks {
  readonly #probes: readonly Probe[];
  readonly #intervalMs: number;
  readonly #staleAfterMs: number;
  readonly #maxLagMs: number;
  readonly #onReport: ((report: HealthReport) => void) | undefined;
  #loop: EventLoop | undefined;
  #isRunning = false;
  #isMarkedStarted = false;
  /** Stays set: a program does not come up twice. */
  #hasStarted = false;
  #isDraining = false;
  #lagMs = 0;

  /**
   * Creates checks; nothing is looked at yet.
   *
   * @param checks What to look at.
   * @param options Additional options.
   * @throws {TypeError} If a check or an option has the wrong type.
   * @throws {RangeError} If a duration is negative or not a number.
   */
  constructor(
    checks: Iterable<HealthCheck> = [],
    options: HealthChecksOptions = {},
  ) {
    const { intervalMs = 5000, timeoutMs = 2000, maxLagMs = 10_000 } = options;
    const { onReport } = options;
    this.#intervalMs = toMs(intervalMs, DOING, "intervalMs");
    const limitMs = toMs(timeoutMs, DOING, "timeoutMs");
    const plans = plansOf(checks, limitMs);
    const longestMs = plans.map(({ timeoutMs }) => timeoutMs)
      .filter(Number.isFinite);
    const { staleAfterMs = 3 * this.#intervalMs + Math.max(0, ...longestMs) } =
      options;
    this.#staleAfterMs = toMs(staleAfterMs, DOING, "staleAfterMs");
    this.#maxLagMs = toLimitMs(maxLagMs, DOING, "maxLagMs");
    if (onReport !== undefined) checkFunction(onReport, DOING, "onReport");
    this.#onReport = onReport;
    this.#probes = plans.map((plan) => new Probe(plan));
  }

  /** Whether the program is being drained. */
  get draining(): boolean {
    return this.#isDraining;
  }

  /** Says that the program has come up, as far as it knows itself. */
  markStarted(): void {
    this.#isMarkedStarted = true;
    this.#noteStart();
  }

  /**
   * Says that the program takes no more work: from now on it is not ready, whatever
   * the checks find. It stays alive.
   */
  drain(): void {
    this.#isDraining = true;
  }

  /** Tells what is known now. It looks at nothing, and changes nothing. */
  report(): HealthReport {
    const startup = this.#startup();
    return {
      startup,
      live: this.#live(),
      ready: this.#ready(startup),
      lagMs: this.#lagMs,
    };
  }

  /**
   * Looks at all checks now, and waits until all were looked at. A look that is
   * under way is shared.
   *
   * @returns What is known then.
   * @throws {CancelledError} If the ambient scope is cancelled before; the looks go
   * on, for others.
   */
  async refresh(): Promise<HealthReport> {
    const loop = this.#loop = currentFrame().loop;
    await Promise.all(this.#probes.map((probe) => probe.look(loop)));
    this.#noteStart();
    const report = this.report();
    callHook(loop, "health checks", this.#onReport, report);
    return report;
  }

  /**
   * Looks at all checks again and again, until the caller is cancelled; then what is
   * under way is cancelled, too.
   *
   * @throws {InvalidStateError} If it runs already.
   */
  async run(): Promise<never> {
    if (this.#isRunning) {
      throw new InvalidStateError(
        "Cannot run health checks: they run already",
      );
    }
    this.#isRunning = true;
    const { loop } = currentFrame();
    try {
      for (;;) {
        await this.refresh();
        const due = loop.time() + this.#intervalMs;
        await sleep(this.#intervalMs);
        this.#lagMs = Math.max(0, loop.time() - due);
      }
    } finally {
      this.#isRunning = false;
      for (const probe of this.#probes) {
        probe.cancel("nobody looks after the health any more");
      }
    }
  }

  #noteStart(): void {
    if (this.#hasStarted || !this.#isMarkedStarted) return;
    this.#hasStarted = this.#results("startup").every(isGood);
  }

  #startup(): HealthAnswer {
    const checks = this.#results("startup");
    if (this.#hasStarted) {
      return { ok: true, degraded: false, reasons: [], checks };
    }
    const reasons = checks.filter((result) => !isGood(result)).map(reasonOf);
    if (!this.#isMarkedStarted) reasons.unshift("the program is coming up");
    return { ok: false, degraded: false, reasons, checks };
  }

  #live(): HealthAnswer {
    const checks = this.#results("live");
    const answer = answerOf(checks, ({ state }) => state === "failed");
    if (this.#lagMs <= this.#maxLagMs) return answer;
    const reason = `the loop is late by ${Math.round(this.#lagMs)} ms`;
    return { ...answer, ok: false, reasons: [reason, ...answer.reasons] };
  }

  #ready(startup: HealthAnswer): HealthAnswer {
    const checks = this.#results("ready");
    const answer = answerOf(checks, ({ state }) => state !== "ok");
    const more = startup.ok ? [] : [...startup.reasons];
    if (this.#isDraining) more.unshift("the program is being drained");
    if (more.length === 0) return answer;
    return { ...answer, ok: false, reasons: [...more, ...answer.reasons] };
  }

  #results(kind: HealthKind): HealthCheckResult[] {
    const now = this.#loop?.time() ?? 0;
    return this.#probes
      .filter(({ plan }) => plan.kind === kind)
      .map((probe) => probe.result(now, this.#staleAfterMs));
  }
}

function isGood({ state, optional }: HealthCheckResult): boolean {
  return optional || state === "ok";
}

function answerOf(
  checks: readonly HealthCheckResult[],
  isAmiss: (result: HealthCheckResult) => boolean,
): HealthAnswer {
  const amiss = checks.filter(isAmiss);
  return {
    ok: amiss.every(({ optional }) => optional),
    degraded: amiss.some(({ optional }) => optional),
    reasons: amiss.map(reasonOf),
    checks,
  };
}

function reasonOf({ name, state, ageMs, error }: HealthCheckResult): string {
  if (state === "failed") return `${name}: ${textOf(error)}`;
  if (ageMs === undefined) return `${name}: it was not looked at yet`;
  return `${name}: the last look was ${Math.round(ageMs)} ms ago`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : show(error);
}

function plansOf(
  checks: Iterable<HealthCheck>,
  defaultMs: number,
): ProbePlan[] {
  const plans = new Map<string, ProbePlan>();
  for (const each of checks) {
    const { name, check, kind = "ready", optional = false } = each ?? {};
    const { timeoutMs = defaultMs } = each ?? {};
    if (typeof name !== "string" || name === "") {
      throw new TypeError(
        `Cannot ${DOING} as "name" of a check must be a string: current value is ${
          show(name)
        }`,
      );
    }
    if (plans.has(name)) {
      throw new TypeError(
        `Cannot ${DOING} as each check must have a name of its own: "${name}" is there twice`,
      );
    }
    checkFunction(check, DOING, "check");
    checkChoice(kind, DOING, "kind", KINDS);
    const limitMs = toMs(timeoutMs, DOING, "timeoutMs");
    plans.set(name, {
      name,
      kind,
      optional,
      timeoutMs: limitMs,
      // The method of an object keeps its receiver.
      check: (context) => each.check(context),
    });
  }
  return [...plans.values()];
}
