import type { CancelledError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { Outcome, type Producer } from "../_internal/outcome.ts";
import type { Prioritized } from "../_internal/priority_line.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import { TimeoutError } from "../primitives/errors.ts";
import type { PoolThread } from "./_pool_thread.ts";
import type { WorkerTarget } from "./_worker_messages.ts";

/** What a call runs, and the number under which threads remember it. */
export interface PoolTarget {
  readonly id: number;
  readonly target: WorkerTarget;
  readonly name: string;
}

/** How a call is made. */
export interface PoolCallPlan {
  readonly target: PoolTarget;
  readonly args: readonly unknown[];
  readonly transfer: readonly Transferable[];
  readonly priority: number;
  readonly idempotent: boolean;
  readonly queueTimeoutMs: number;
  readonly taskTimeoutMs: number;
  readonly graceMs: number;
}

/** Who a call turns to when it is to end. */
export interface PoolCallOwner {
  /** Takes a call out of the line. */
  leaveLine(call: PoolCall): void;
  /** Learns that a call has ended, before its caller does. */
  ended(call: PoolCall): void;
}

/** A call that waits for a thread, or has one. */
export class PoolCall implements Prioritized<PoolCall>, Producer {
  prev: PoolCall | undefined = undefined;
  next: PoolCall | undefined = undefined;
  readonly plan: PoolCallPlan;
  readonly loop: EventLoop;
  readonly outcome: Outcome<unknown> = new Outcome<unknown>(this);
  /** Where it is, if it was sent to a thread. */
  thread: PoolThread | undefined = undefined;
  /** How many threads it has brought down. */
  crashes = 0;
  /** Why it is to end, if it is. */
  endedBy: { readonly error: unknown } | undefined = undefined;
  readonly #owner: PoolCallOwner;
  readonly #release: () => void;
  #timer: Timer | undefined = undefined;
  #grace: Timer | undefined = undefined;

  constructor(frame: Frame, plan: PoolCallPlan, owner: PoolCallOwner) {
    this.plan = plan;
    this.loop = frame.loop;
    this.#owner = owner;
    this.#release = frame.loop.hold(this.label);
    this.#limit(plan.queueTimeoutMs, "the start of");
  }

  get label(): string {
    return `call "${this.plan.target.name}"`;
  }

  get priority(): number {
    return this.plan.priority;
  }

  /**
   * Whether it may be sent to a thread that is busy, and be taken back. What was
   * transferred is gone, and limits of time count up to when it begins, or from then.
   */
  get movable(): boolean {
    const { transfer, queueTimeoutMs, taskTimeoutMs } = this.plan;
    return transfer.length === 0 && queueTimeoutMs === Infinity &&
      taskTimeoutMs === Infinity;
  }

  cancelWith(error: CancelledError): boolean {
    return this.end(error);
  }

  /** Ends the call: at once if it has not begun, else as its thread allows. */
  end(error: unknown): boolean {
    if (this.endedBy !== undefined || !this.outcome.pending) return false;
    this.endedBy = { error };
    const { thread } = this;
    if (thread === undefined) {
      this.#owner.leaveLine(this);
      this.fail(error);
    } else thread.endCall(this);
    return true;
  }

  /** The call was sent to a thread. */
  sentTo(thread: PoolThread): void {
    this.thread = thread;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#limit(this.plan.taskTimeoutMs, "");
  }

  /** The call is back in the line: it has not begun, or begins anew. */
  takenBack(): void {
    this.thread = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Calls `giveUp` if the call has not ended when its grace is over. */
  awaitEnd(giveUp: () => void): void {
    this.#grace = this.loop.timers.after(this.plan.graceMs, {
      label: `the end of ${this.label}`,
      expire: giveUp,
    });
  }

  succeed(value: unknown): void {
    this.#settled();
    if (this.endedBy !== undefined) this.outcome.reject(this.endedBy.error);
    else this.outcome.resolve(value);
  }

  fail(error: unknown): void {
    this.#settled();
    this.outcome.reject(this.endedBy?.error ?? error);
  }

  #settled(): void {
    this.thread = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#release();
    this.#owner.ended(this);
  }

  #limit(ms: number, what: string): void {
    if (ms === Infinity) return;
    const label = `${what} ${this.label}`.trim();
    this.#timer = this.loop.timers.after(ms, {
      label,
      expire: () => {
        this.#timer = undefined;
        this.end(new TimeoutError(ms, { label }));
      },
    });
  }
}
