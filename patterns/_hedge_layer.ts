import { checkCount, checkFunctions, show, toMs } from "../_internal/check.ts";
import { callHook, isRefusal, type PolicyCall } from "./_call.ts";
import { type Contender, HedgeRace } from "./_hedge_race.ts";
import { LatencyWindow } from "./_latency.ts";
import type { LayerFacts, Step, Work, WrapLayer } from "./_layers.ts";
import { isRetriableByDefault } from "./_retriable.ts";
import type { HedgeOptions, HedgeSnapshot } from "./hedge.ts";
import { checkBudget } from "./_budget.ts";
import { RetryBudget } from "./retry_budget.ts";

/**
 * Thrown when the work and its hedges have failed. `errors` has what each has
 * failed with, the one that began first in front, which is also the `cause`.
 */
export class HedgeError extends AggregateError {
  static {
    this.prototype.name = "HedgeError";
  }
  /** The name of the policy. */
  readonly policy: string;
  /** Whether the work was never begun: all of it was refused. */
  readonly rejected: boolean;

  /** Creates the error of a call of which all parts have failed. */
  constructor(policy: string, errors: readonly unknown[]) {
    super(
      errors,
      `Cannot finish "${policy}": the work and its hedges have failed, ${errors.length} in all`,
      { cause: errors[0] },
    );
    this.policy = policy;
    this.rejected = errors.every(isRefusal);
  }
}

/** What a hedge puts around the work. */
export class HedgeLayer implements WrapLayer {
  readonly kind = "wrap";
  readonly name: string;
  readonly #options: HedgeOptions;
  readonly #delayMs: number | undefined;
  readonly #quantile: number;
  readonly #minSamples: number;
  readonly #max: number;
  readonly #budget: RetryBudget;
  readonly #latency = new LatencyWindow();
  #calls = 0;
  #hedges = 0;
  #wins = 0;
  #refused = 0;

  constructor(options: HedgeOptions) {
    const doing = "create a hedge";
    const { name = "hedge", quantile = 0.95, minSamples = 50, max = 1 } =
      options;
    if (options.idempotent !== true) {
      throw new TypeError(
        `Cannot ${doing} as "idempotent" must be true, since the work may be done twice: current value is ${
          show(options.idempotent)
        }`,
      );
    }
    if (typeof quantile !== "number" || !(quantile > 0 && quantile < 1)) {
      throw new RangeError(
        `Cannot ${doing} as "quantile" must be a number between 0 and 1: current value is ${
          show(quantile)
        }`,
      );
    }
    checkFunctions(options, doing, ["classify", "eligible", "onHedge"]);
    checkBudget(options.budget, doing);
    this.name = name;
    this.#options = options;
    this.#delayMs = options.delayMs === undefined
      ? undefined
      : toMs(options.delayMs, doing, "delayMs");
    this.#quantile = quantile;
    this.#minSamples = checkCount(minSamples, doing, "minSamples");
    this.#max = checkCount(max, doing, "max");
    this.#budget = options.budget ?? new RetryBudget({
      ratio: 0.05,
      minPerSecond: 0,
      capacity: 10,
      maxInFlightRatio: 1,
    });
  }

  snapshot(): HedgeSnapshot {
    return {
      calls: this.#calls,
      hedges: this.#hedges,
      wins: this.#wins,
      refused: this.#refused,
      delayMs: this.#delay(),
      samples: this.#latency.size,
    };
  }

  facts(): LayerFacts {
    const when = this.#delayMs === undefined
      ? `slower than ${this.#quantile * 100} % of the calls`
      : `slower than ${this.#delayMs} ms`;
    return {
      policy: "hedge",
      name: this.name,
      text: `at most ${this.#max} more if ${when}`,
      worst: (inner) => ({
        // Each may begin when the one before has failed at its very end.
        ms: inner.ms * (this.#max + 1),
        attempts: inner.attempts * (this.#max + 1),
      }),
    };
  }

  wrap(next: Step): Step {
    return (call, work) => this.#run(next, call, work);
  }

  async #run<T>(next: Step, call: PolicyCall, work: Work<T>): Promise<T> {
    if (this.#options.eligible?.(call) === false) return await next(call, work);
    this.#calls++;
    this.#budget.enter();
    const race = new HedgeRace(next, call, work);
    let paid = 0;
    let winner: Contender | undefined;
    let ok = false;
    const startedAt = call.frame.loop.time();
    race.start();
    try {
      let mayStart = true;
      for (;;) {
        const open = mayStart && race.contenders.length <= this.#max;
        const ended = await race.next(open ? this.#delay() : Infinity);
        if (ended !== undefined) {
          const told = this.#classOf(call, ended);
          if (told === "won") {
            winner = ended;
            ok = true;
            return this.#won(ended) as T;
          }
          if (told === "hopeless") mayStart = false;
          if (race.running > 0) continue;
        }
        const reason = ended === undefined ? "slow" : "failed";
        if (mayStart && race.contenders.length <= this.#max) {
          if (this.#budget.tryAcquire()) {
            paid++;
            this.#hedges++;
            this.#tell(call, race.contenders.length, reason, startedAt);
            race.start();
            continue;
          }
          this.#refused++;
          mayStart = false;
        }
        if (race.running === 0) {
          winner = race.contenders[0];
          return this.#lost(race) as T;
        }
      }
    } finally {
      for (; paid > 0; paid--) this.#budget.release();
      this.#budget.leave(ok);
      race.close(winner, `another contender of "${this.name}" was quicker`);
    }
  }

  #classOf(
    call: PolicyCall,
    { outcome = { ok: false, error: undefined } }: Contender,
  ): "won" | "lost" | "hopeless" {
    // The caller is cancelled: there is nothing left to win.
    if (!outcome.ok && call.isOwnCancellation(outcome.error)) {
      throw outcome.error;
    }
    const told = call.classify(outcome, this.#options.classify);
    if (told === "success") return "won";
    if (outcome.ok) return told === "ignore" ? "won" : "lost";
    if (told === "ignore") return "hopeless";
    return isRetriableByDefault(outcome.error) ? "lost" : "hopeless";
  }

  #won({ call, node, outcome, startedAt }: Contender): unknown {
    this.#latency.add(node.loop.time() - startedAt);
    if (call.hedge > 0) this.#wins++;
    return outcome?.ok ? outcome.value : undefined;
  }

  /** All have failed: what began first decides how that is told. */
  #lost(race: HedgeRace<unknown>): unknown {
    const [first] = race.contenders;
    if (first?.outcome?.ok) return first.outcome.value;
    const errors = race.contenders.map(({ outcome }) =>
      outcome?.ok ? outcome.value : outcome?.error
    );
    if (errors.length === 1) throw errors[0];
    throw new HedgeError(this.name, errors);
  }

  #delay(): number {
    if (this.#delayMs !== undefined) return this.#delayMs;
    if (this.#latency.size < this.#minSamples) return Infinity;
    return this.#latency.quantile(this.#quantile);
  }

  #tell(
    call: PolicyCall,
    hedge: number,
    reason: "slow" | "failed",
    startedAt: number,
  ): void {
    const { onHedge } = this.#options;
    if (onHedge === undefined) return;
    const { loop } = call.frame;
    callHook(loop, this.name, onHedge, {
      policy: this.name,
      attempt: call.attempt,
      hedge,
      reason,
      elapsedMs: loop.time() - startedAt,
      snapshot: this.snapshot(),
    });
  }
}
