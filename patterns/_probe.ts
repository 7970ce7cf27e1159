import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { spawn } from "../_internal/spawn.ts";
import { Event } from "../primitives/event.ts";
import { select } from "../primitives/select.ts";
import { sleepOp } from "../primitives/sleep.ts";
import {
  type HealthCheck,
  type HealthCheckResult,
  HealthFailedError,
  type HealthKind,
  HealthTimeoutError,
} from "./_health_types.ts";

/** A check whose options were looked at. */
export interface ProbePlan {
  readonly name: string;
  readonly kind: HealthKind;
  readonly optional: boolean;
  readonly timeoutMs: number;
  readonly check: HealthCheck["check"];
}

/** One check, and what is known of it. */
export class Probe {
  readonly plan: ProbePlan;
  #last:
    | { readonly at: number; readonly ms: number; readonly error: unknown }
    | undefined;
  /** The look under way. There is never a second one beside it. */
  #look: { readonly actor: Actor<unknown>; readonly over: Event } | undefined;

  constructor(plan: ProbePlan) {
    this.plan = plan;
  }

  /** What is known at a moment. */
  result(now: number, staleAfterMs: number): HealthCheckResult {
    const { name, optional } = this.plan;
    const last = this.#last;
    if (last === undefined) {
      const nothing = { ageMs: undefined, ms: undefined, error: undefined };
      return { name, optional, state: "unknown", ...nothing };
    }
    const { ms, error } = last;
    const ageMs = now - last.at;
    const isFresh = ageMs < staleAfterMs;
    const state = !isFresh ? "unknown" : error === undefined ? "ok" : "failed";
    return { name, optional, state, ageMs, ms, error };
  }

  /** Looks, or waits for the look that is under way. It never fails. */
  async look(loop: EventLoop): Promise<void> {
    const { timeoutMs } = this.plan;
    const { over } = this.#look ?? this.#begin(loop);
    const { key } = await select({
      over: over.waitOp(),
      late: sleepOp(timeoutMs),
    }, { biased: true });
    if (key === "late") this.#expire(loop);
  }

  /** Ends the look that is under way. */
  cancel(reason: string): void {
    const { actor } = this.#look ?? {};
    if (actor !== undefined) cancelScope(actor.scope, reason);
  }

  #begin(loop: EventLoop): { readonly over: Event } {
    const { name, check } = this.plan;
    const start = loop.time();
    const over = new Event();
    // It is a task of the root: it does not end with whoever asked first.
    const actor: Actor<unknown> = spawn<unknown>(loop.root, async () => {
      const { scope } = actor;
      const passed = await check({
        name,
        get signal() {
          return scope.signal;
        },
      });
      if (passed === false) throw new HealthFailedError(name);
    }, {
      name: `health check "${name}"`,
      onEnd: ({ outcome, scope }) => {
        outcome.observe();
        this.#look = undefined;
        // What a late look has found is too old: its failure was noted before.
        if (scope.cancelledBy === undefined) {
          const hasPassed = outcome.state === "done";
          this.#note(
            loop,
            start,
            hasPassed
              ? undefined
              : outcome.value ?? new HealthFailedError(name),
          );
        }
        over.set();
      },
    });
    this.#look = { actor, over };
    return this.#look;
  }

  #expire(loop: EventLoop): void {
    const { name, timeoutMs } = this.plan;
    const error = new HealthTimeoutError(name, timeoutMs);
    this.#note(loop, loop.time() - timeoutMs, error);
    this.cancel(error.message);
  }

  #note(loop: EventLoop, start: number, error: unknown): void {
    const at = loop.time();
    this.#last = { at, ms: at - start, error };
  }
}
