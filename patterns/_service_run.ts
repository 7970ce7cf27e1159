import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import type { Operation } from "../_internal/operation.ts";
import { spawn } from "../_internal/spawn.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import { waitsIn } from "../_internal/waits.ts";
import { Event } from "../primitives/event.ts";
import { select } from "../primitives/select.ts";
import { sleepOp } from "../primitives/sleep.ts";
import type { Service, ServiceContext, ServiceStop } from "./_service_types.ts";
import { HeartbeatError, ServiceStartError } from "./_service_types.ts";

/** A service whose options were checked. */
export interface ServicePlan {
  readonly name: string;
  readonly service: Service;
  readonly readiness: "started" | "told";
  readonly startMs: number;
  readonly shutdownMs: number;
  readonly heartbeatMs: number;
}

/** Whom a run tells. */
export interface RunOwner {
  /** Waits until the services are ready that this one depends on. */
  awaitDependencies(): Promise<void>;
  onReady(): void;
  onEnd(run: ServiceRun): void;
}

/** How a run is brought to its end. */
export interface StopPlan {
  /** The loop's time by which it must be over. */
  readonly deadline: number;
  /** Set when there is no time left for anybody to finish. */
  readonly hurry: Event;
}

/** How much of the time that is left is kept for those who must be cancelled. */
const CANCEL_SHARE = 0.2;
const MAX_CANCEL_MS = 1000;
const CANCELLED = "the service was stopped";

/**
 * One run of a service, from its start to its end: the next start is another run.
 *
 * It is a task of the root: a service that is stuck can be left behind.
 */
export class ServiceRun implements ServiceContext {
  readonly attempt: number;
  readonly isReady: Event = new Event();
  readonly gone: Event = new Event();
  /** Why it has failed, once it is gone. */
  failure: { readonly error: unknown } | undefined = undefined;
  /** When it was ready. */
  readyAt: number = Infinity;
  /** Whether the service itself was called. */
  hasBegun = false;
  readonly #plan: ServicePlan;
  readonly #owner: RunOwner;
  readonly #loop: EventLoop;
  readonly #actor: Actor<void>;
  readonly #stopping = new Event();
  #alarm: Timer | undefined;

  constructor(plan: ServicePlan, attempt: number, owner: RunOwner) {
    this.#plan = plan;
    this.attempt = attempt;
    this.#owner = owner;
    this.#loop = currentFrame().loop;
    this.#actor = spawn<void>(this.#loop.root, () => this.#work(), {
      name: plan.name,
      onEnd: (actor) => this.#end(actor),
    });
  }

  get name(): string {
    return this.#plan.name;
  }

  get signal(): AbortSignal {
    return this.#actor.scope.signal;
  }

  get stopping(): boolean {
    return this.#stopping.isSet;
  }

  async untilStopping(): Promise<void> {
    await this.#stopping.wait();
  }

  stoppingOp(): Operation<true> {
    return this.#stopping.waitOp();
  }

  ready(): void {
    if (this.isReady.isSet || this.#isLost) return;
    this.readyAt = this.#loop.time();
    this.isReady.set();
    this.#awaitHeartbeat();
    this.#owner.onReady();
  }

  heartbeat(): void {
    if (this.isReady.isSet && !this.#isLost) this.#awaitHeartbeat();
  }

  /** Whether it is over, or was given up: no sign of life counts any more. */
  get #isLost(): boolean {
    return this.gone.isSet || this.failure !== undefined;
  }

  /** Ends the run: asks, then cancels, then leaves it behind. */
  async stop({ deadline, hurry }: StopPlan): Promise<ServiceStop> {
    const start = this.#loop.time();
    const told = (how: ServiceStop["how"]): ServiceStop => ({
      name: this.name,
      how,
      ms: this.#loop.time() - start,
      waitsFor: how === "stuck" ? waitsIn(this.#actor.scope) : [],
    });
    this.#stopping.set();
    // Who ends need not give signs of life: that it has to be gone in time will do.
    if (this.failure === undefined) this.#alarm?.cancel();
    // As long as it waits for others there is nothing to finish.
    if (!this.hasBegun) cancelScope(this.#actor.scope, CANCELLED);
    const leftMs = Math.max(0, deadline - start);
    const cancelMs = Math.min(leftMs * CANCEL_SHARE, MAX_CANCEL_MS);
    const drainMs = Math.min(this.#plan.shutdownMs, leftMs - cancelMs);
    const first = await select({
      gone: this.gone.waitOp(),
      hurry: hurry.waitOp(),
      late: sleepOp(drainMs),
    }, { biased: true });
    if (first.key === "gone") return told("drained");
    cancelScope(this.#actor.scope, CANCELLED);
    const restMs = Math.max(deadline - this.#loop.time(), cancelMs);
    const last = await select({
      gone: this.gone.waitOp(),
      late: sleepOp(restMs),
    }, { biased: true });
    return told(last.key === "gone" ? "cancelled" : "stuck");
  }

  async #work(): Promise<void> {
    await this.#owner.awaitDependencies();
    if (this.stopping) return;
    this.hasBegun = true;
    const { service, readiness, startMs } = this.#plan;
    if (readiness === "started") this.ready();
    else this.#arm(startMs);
    await service.run(this);
  }

  #end(actor: Actor): void {
    const { outcome, scope } = actor;
    outcome.observe();
    if (this.gone.isSet) return;
    // What it ends with when it was asked to is nobody's failure.
    const isAsked = this.stopping && outcome.state === "cancelled" &&
      outcome.value === scope.struck;
    if (outcome.state !== "done" && !isAsked) {
      this.failure ??= { error: outcome.value };
    }
    this.#finish();
  }

  #awaitHeartbeat(): void {
    if (!this.stopping) this.#arm(this.#plan.heartbeatMs);
  }

  /** Lets the run fail unless there is a sign of life in time. */
  #arm(ms: number): void {
    this.#alarm?.cancel();
    if (ms === Infinity) return;
    this.#alarm = this.#loop.timers.after(ms, {
      label: `a sign of life of service "${this.name}"`,
      expire: () => this.#expire(ms),
    });
  }

  #expire(ms: number): void {
    const error = this.isReady.isSet
      ? new HeartbeatError(this.name, ms)
      : new ServiceStartError(this.name, ms);
    this.failure = { error };
    cancelScope(this.#actor.scope, error.message);
    this.#alarm = this.#loop.timers.after(this.#plan.shutdownMs, {
      label: `the end of service "${this.name}"`,
      expire: () => this.leave("has failed"),
    });
  }

  /** Leaves a run behind that does not end although it was cancelled. */
  leave(why: string): void {
    if (this.gone.isSet) return;
    this.#loop.report({
      message: `Service "${this.name}" ${why}, and is left behind: ${
        waitsIn(this.#actor.scope).join("; ")
      }`,
    });
    this.#finish();
  }

  #finish(): void {
    this.#alarm?.cancel();
    this.gone.set();
    this.#owner.onEnd(this);
  }
}
