import {
  checkFunctions,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { TimeoutError } from "../_internal/errors.ts";
import { callJoined } from "../_internal/open_scope.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { withScopeOf } from "../_internal/spawn.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import { discard } from "./_discard.ts";
import type { LayerFacts, Step, Work, WrapLayer } from "./_layers.ts";
import { PolicyError, type PolicyOutcome } from "./policy.ts";
import type {
  TimeoutEvent,
  TimeoutPolicyOptions,
  TimeoutSnapshot,
} from "./timeout_policy.ts";

/** Thrown if less time is left than the work needs. */
export class DeadlineTooNearError extends PolicyError {
  static {
    this.prototype.name = "DeadlineTooNearError";
  }
  /** How many milliseconds were left. */
  readonly remainingMs: number;
  /** How many milliseconds the work needs. */
  readonly needsMs: number;

  /** Creates the refusal of work that needs more than what remains. */
  constructor(policy: string, remainingMs: number, needsMs: number) {
    super(
      `Cannot begin the work under "${policy}": it needs ${needsMs} ms, and ${
        Math.round(remainingMs)
      } ms are left`,
      // Time only runs out: no later attempt under this deadline has more.
      { policy, retryAfterMs: Infinity },
    );
    this.remainingMs = remainingMs;
    this.needsMs = needsMs;
  }
}

/** What a timeout puts around the work. */
export class TimeoutLayer implements WrapLayer {
  readonly kind = "wrap";
  readonly name: string;
  readonly ms: number;
  readonly #label: string | undefined;
  /** How long to wait for work that was cancelled. */
  readonly graceMs: number;
  readonly #needsMs: number;
  readonly #options: TimeoutPolicyOptions;
  #calls = 0;
  #timeouts = 0;
  #lingering = 0;

  constructor(ms: Duration, options: TimeoutPolicyOptions) {
    const doing = "create a timeout";
    const { name = "timeout", mode = "cooperative", graceMs = 1000 } = options;
    if (mode !== "cooperative" && mode !== "detach") {
      throw new TypeError(
        `Cannot ${doing} as "mode" must be "cooperative" or "detach": current value is ${
          show(mode)
        }`,
      );
    }
    this.name = name;
    this.#label = options.name;
    this.ms = toMs(ms, doing);
    const grace = toMs(graceMs, doing, "graceMs");
    this.graceMs = mode === "detach" ? 0 : grace;
    this.#needsMs = toMs(options.needsMs ?? 0, doing, "needsMs");
    checkFunctions(options, doing, ["onTimeout", "onLate"]);
    this.#options = options;
  }

  snapshot(): TimeoutSnapshot {
    return {
      calls: this.#calls,
      timeouts: this.#timeouts,
      lingering: this.#lingering,
    };
  }

  facts(): LayerFacts {
    const grace = this.graceMs > 0 ? `, ${this.graceMs} ms of grace` : "";
    return {
      policy: "timeout",
      name: this.name,
      text: `${this.ms} ms${grace}`,
      limitMs: this.ms,
      worst: (inner) => ({
        ms: Math.min(inner.ms, this.ms + this.graceMs),
        attempts: inner.attempts,
      }),
    };
  }

  wrap(next: Step): Step {
    return (call, work) => this.#run(next, call, work);
  }

  #run<T>(next: Step, call: PolicyCall, work: Work<T>): Promise<T> {
    const { frame } = call;
    const needsMs = this.#needsMs;
    if (needsMs > 0 && call.remainingMs < needsMs) {
      const { remainingMs } = call;
      return Promise.reject(
        new DeadlineTooNearError(this.name, remainingMs, needsMs),
      );
    }
    this.#calls++;
    const node = new ScopeNode(frame.loop, frame.scope, { name: this.#label });
    if (this.ms === 0) {
      node.expire();
      node.deadline = frame.loop.time();
    } else if (this.ms !== Infinity) node.expireAfter(this.ms);
    // The clock is read as seldom as can be: a limit knows when it was set.
    const startedAt = this.ms === Infinity
      ? frame.loop.time()
      : node.deadline - this.ms;
    const run = new TimeoutRun<T>(this, call, node, startedAt);
    return run.begin(next, work);
  }

  /** The time is over: gives the error that says so. */
  timedOut(call: PolicyCall, node: ScopeNode, startedAt: number): TimeoutError {
    this.#timeouts++;
    this.#tell(this.#options.onTimeout, call, startedAt, {});
    return new TimeoutError(this.ms, {
      deadline: node.deadline,
      cause: node.cancelledBy,
      ...(this.#label === undefined ? {} : { label: this.#label }),
    });
  }

  /** Work goes on, and its caller has left. */
  left(): void {
    this.#lingering++;
  }

  /** That work has ended. */
  late(call: PolicyCall, startedAt: number, outcome: PolicyOutcome): void {
    this.#lingering--;
    const { onLate } = this.#options;
    if (onLate !== undefined) this.#tell(onLate, call, startedAt, { outcome });
    else if (outcome.ok) discard(outcome.value, call.frame.loop);
  }

  #tell(
    hook: ((event: TimeoutEvent) => unknown) | undefined,
    call: PolicyCall,
    startedAt: number,
    more: Pick<TimeoutEvent, "outcome">,
  ): void {
    if (hook === undefined) return;
    const { loop } = call.frame;
    callHook(loop, this.name, hook, {
      policy: this.name,
      attempt: call.attempt,
      ms: this.ms,
      elapsedMs: loop.time() - startedAt,
      snapshot: this.snapshot(),
      ...more,
    });
  }
}

/**
 * One call under a timeout.
 *
 * The caller waits for a promise of its own, so that it can leave work that does
 * not end.
 */
class TimeoutRun<T> {
  readonly #layer: TimeoutLayer;
  readonly #call: PolicyCall;
  readonly #inner: PolicyCall;
  readonly #node: ScopeNode;
  readonly #startedAt: number;
  #resolve: ((value: T) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #timer: { cancel(): void } | undefined = undefined;
  /** Whether the caller has gone. */
  #left = false;

  constructor(
    layer: TimeoutLayer,
    call: PolicyCall,
    node: ScopeNode,
    startedAt: number,
  ) {
    this.#startedAt = startedAt;
    this.#layer = layer;
    this.#call = call;
    this.#node = node;
    this.#inner = call.within(withScopeOf(call.frame, node));
  }

  begin(next: Step, work: Work<T>): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    let result: T | PromiseLike<T>;
    try {
      const begin = (call: PolicyCall) => next(call, work);
      result = callJoined(this.#inner.frame, begin, this.#inner);
    } catch (error) {
      this.#failed(error);
      return promise;
    }
    if (!(result instanceof Promise)) {
      this.#done(result as T);
      return promise;
    }
    const ended = result.then(
      (value) => this.#done(value),
      (error) => this.#failed(error),
    );
    if (this.#layer.graceMs === Infinity) return promise;
    this.#node.onStruck = () => this.#struck(ended);
    if (this.#node.struck !== undefined) this.#struck(ended);
    return promise;
  }

  #done(value: T): void {
    if (this.#left) return this.#late({ ok: true, value });
    this.#close(true);
    this.#resolve?.(value);
  }

  #failed(error: unknown): void {
    if (this.#left) return this.#late({ ok: false, error });
    this.#close(false);
    this.#reject?.(this.#errorOf(error));
  }

  /** The work was cancelled: it has the grace to end. */
  #struck(ended: Promise<void>): void {
    if (this.#left || this.#timer !== undefined) return;
    const { graceMs, name } = this.#layer;
    const expire = (): void => this.#leave(ended);
    if (graceMs === 0) return expire();
    const label = `the end of work under "${name}"`;
    this.#timer = this.#node.loop.timers.after(graceMs, { label, expire });
  }

  #leave(ended: Promise<void>): void {
    const { struck } = this.#node;
    this.#left = true;
    this.#layer.left();
    this.#call.linger(ended);
    this.#close(false);
    this.#reject?.(this.#errorOf(struck));
  }

  #late(outcome: PolicyOutcome): void {
    this.#layer.late(this.#call, this.#startedAt, outcome);
  }

  #close(ok: boolean): void {
    this.#timer?.cancel();
    this.#inner.end(ok);
    this.#node.onStruck = undefined;
    this.#node.exit();
  }

  /** What to throw for an error of the work, or of the one who left it. */
  #errorOf(error: unknown): unknown {
    const { cancelledBy } = this.#node;
    if (cancelledBy === undefined) return error;
    if (!this.#inner.isOwnCancellation(error)) return error;
    // Who cancelled from further out comes first: it wants more to end.
    return this.#call.frame.scope.live().struck ??
      this.#layer.timedOut(this.#call, this.#node, this.#startedAt);
  }
}
