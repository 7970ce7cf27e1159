/**
 * A limit of time as a policy: for each attempt, for all of them, or for both.
 *
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { Retry } from "@ilmek/async/retry";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 *
 * const policy = compose(new Timeout(5000), new Retry(), new Timeout(1000));
 * await policy.run(() => "page");
 * ```
 *
 * @module
 */
import { type Duration, show, toMs } from "../_internal/check.ts";
import { TimeoutError } from "../_internal/errors.ts";
import { callJoined } from "../_internal/open_scope.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { withScopeOf } from "../_internal/spawn.ts";
import { callHook, type PolicyCall } from "./_call.ts";
import { discard } from "./_discard.ts";
import {
  defineLayers,
  type LayerFacts,
  runStep,
  type Step,
  type Work,
  type WrapLayer,
} from "./_layers.ts";
import {
  type PolicyContext,
  PolicyError,
  type PolicyOutcome,
  type PolicyRunOptions,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";

/** What the hooks of a timeout are told. */
export interface TimeoutEvent {
  /** The name of the policy. */
  readonly policy: string;
  /** Which attempt it is about: 1 for the first. */
  readonly attempt: number;
  /** The limit. */
  readonly ms: number;
  /** How long the work has taken so far, or at all. */
  readonly elapsedMs: number;
  /** How the work has ended, if it came too late. */
  readonly outcome?: PolicyOutcome;
  /** The counters of the policy. */
  readonly snapshot: TimeoutSnapshot;
}

/** What can be told of a timeout at one moment. */
export interface TimeoutSnapshot {
  /** How many calls there were. */
  readonly calls: number;
  /** How many of them ran out of time. */
  readonly timeouts: number;
  /** How many pieces of work go on although their callers have gone. */
  readonly lingering: number;
}

/** Options of {@linkcode Timeout}. */
export interface TimeoutPolicyOptions {
  /**
   * How errors and reports call the policy.
   *
   * @default {"timeout"}
   */
  name?: string;
  /**
   * What happens when the time is over. Either way the work is cancelled; then
   * `"cooperative"` waits until it has ended, and `"detach"` does not.
   *
   * @default {"cooperative"}
   */
  mode?: "cooperative" | "detach";
  /**
   * How long `"cooperative"` waits for work that was cancelled to end. After that
   * the caller goes on without it.
   *
   * @default {1000}
   */
  graceMs?: Duration;
  /**
   * How much time the work needs at least. With less left until a deadline of the
   * caller it is refused, instead of begun in vain.
   *
   * @default {0}
   */
  needsMs?: Duration;
  /** Called when the time is over. */
  onTimeout?: (event: TimeoutEvent) => unknown;
  /** Called when work ends whose caller has gone. */
  onLate?: (event: TimeoutEvent) => unknown;
}

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

/**
 * A policy that cancels what takes too long, and throws a `TimeoutError`.
 *
 * Outside of a retry it limits all attempts together, inside of one each attempt.
 * The work sees the nearest of all deadlines around it, whoever has set it. If
 * the caller is cancelled first, that is no timeout. Work that is left behind
 * still counts for what is around it: a bulkhead keeps its slot until it has ended.
 *
 * @example Limit each attempt, and all of them
 * ```ts
 * import { compose } from "@ilmek/async/compose";
 * import { TimeoutError } from "@ilmek/async/errors";
 * import { Retry } from "@ilmek/async/retry";
 * import { spaced } from "@ilmek/async/schedule";
 * import { sleep } from "@ilmek/async/sleep";
 * import { Timeout } from "@ilmek/async/timeout-policy";
 * import { assertRejects } from "@std/assert";
 *
 * const policy = compose(
 *   new Timeout(20),
 *   new Retry({ attempts: 9, schedule: spaced(1) }),
 *   new Timeout(5),
 * );
 *
 * await assertRejects(() => policy.run(() => sleep(60_000)), TimeoutError);
 * ```
 */
export class Timeout {
  readonly #layer: TimeoutLayer;
  readonly #step: Step;

  /**
   * Creates a policy.
   *
   * @throws {RangeError} If a duration is negative or not a number.
   * @throws {TypeError} If `mode` is none of the known ones.
   */
  constructor(ms: Duration, options: TimeoutPolicyOptions = {}) {
    this.#layer = new TimeoutLayer(ms, options);
    this.#step = defineLayers(this, [this.#layer]);
  }

  /** How errors and reports call the policy. */
  get name(): string {
    return this.#layer.name;
  }

  /** The limit in milliseconds. */
  get ms(): number {
    return this.#layer.ms;
  }

  /** Whether a new instance could stand in for this one: always. */
  get pristine(): boolean {
    return true;
  }

  /**
   * Runs `fn`, and cancels it when the time is over.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TimeoutError} If the time is over.
   * @throws {DeadlineTooNearError} If less time is left than the work needs.
   */
  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T> {
    return runStep(this.#step, fn, options);
  }

  /**
   * The counters at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): TimeoutSnapshot {
    return this.#layer.snapshot();
  }
}

class TimeoutLayer implements WrapLayer {
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
    if (this.ms === 0) node.expire();
    else if (this.ms !== Infinity) node.expireAfter(this.ms);
    const run = new TimeoutRun<T>(this, call, node);
    return run.begin(next, work);
  }

  /** The time is over: gives the error that says so. */
  timedOut(call: PolicyCall, node: ScopeNode): TimeoutError {
    this.#timeouts++;
    this.#tell(this.#options.onTimeout, call, node, {});
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
  late(call: PolicyCall, node: ScopeNode, outcome: PolicyOutcome): void {
    this.#lingering--;
    const { onLate } = this.#options;
    if (onLate !== undefined) this.#tell(onLate, call, node, { outcome });
    else if (outcome.ok) discard(outcome.value, call.frame.loop);
  }

  #tell(
    hook: ((event: TimeoutEvent) => unknown) | undefined,
    call: PolicyCall,
    node: ScopeNode,
    more: Pick<TimeoutEvent, "outcome">,
  ): void {
    if (hook === undefined) return;
    const { loop } = call.frame;
    callHook(loop, this.name, hook, {
      policy: this.name,
      attempt: call.attempt,
      ms: this.ms,
      elapsedMs: loop.time() - (node.deadline - this.ms),
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
  #resolve: ((value: T) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #timer: { cancel(): void } | undefined = undefined;
  /** Whether the caller has gone. */
  #left = false;

  constructor(layer: TimeoutLayer, call: PolicyCall, node: ScopeNode) {
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
    this.#layer.late(this.#call, this.#node, outcome);
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
      this.#layer.timedOut(this.#call, this.#node);
  }
}
