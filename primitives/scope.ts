/**
 * Scopes of cancellation: a part of the program that can be cancelled as one,
 * without passing a signal along.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { withScope } from "@ilmek/async/scope";
 *
 * await withScope(async (scope) => {
 *   scope.cancel("enough");
 *   await sleep(1000).catch(() => {}); // Throws at once.
 * });
 * ```
 *
 * @module
 */
import { cancellationOf, cancelScope } from "../_internal/cancellation.ts";
import {
  checkFunction,
  checkMoment,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import type { CancelledError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { openScope } from "../_internal/open_scope.ts";
import { ScopeNode } from "../_internal/scope_node.ts";
import { listen } from "../_internal/signal.ts";

export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode withScope}. */
export interface WithScopeOptions {
  /** How reports and cancellations call the scope. */
  name?: string;
  /** After how many milliseconds the scope is cancelled. */
  deadlineMs?: Duration;
  /** Cancels the scope when it aborts, with its reason as the `cause`. */
  signal?: AbortSignal;
}

/**
 * A scope that code runs in: what can be asked of it and done to it.
 *
 * @example Give the work in a scope more time
 * ```ts
 * import { withScope } from "@ilmek/async/scope";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assert } from "@std/assert";
 *
 * await withScope(async (scope) => {
 *   scope.deadline += 60_000;
 *   await sleep(10);
 *   assert(scope.remainingMs > 1000);
 * }, { deadlineMs: 5 });
 * ```
 */
export class Scope {
  readonly #node: ScopeNode;

  /**
   * Scopes come from `withScope` and `currentScope`.
   *
   * @internal
   */
  constructor(node: ScopeNode) {
    this.#node = node;
  }

  /** The name of the scope, or of the task that it belongs to. */
  get name(): string {
    return this.#node.title;
  }

  /** Whether waits in here throw, since this scope or one above was cancelled. */
  get cancelled(): boolean {
    return this.#node.live().struck !== undefined;
  }

  /** What waits in here throw, if the scope is cancelled. */
  get error(): CancelledError | undefined {
    return this.#node.live().struck;
  }

  /**
   * The loop's time at which this scope is cancelled; `Infinity` for never.
   *
   * It may be set as long as the scope is open and not cancelled.
   */
  get deadline(): number {
    return this.#node.deadline;
  }

  set deadline(when: number) {
    this.#node.deadline = checkMoment(when, "set a deadline", "it");
  }

  /** The earliest deadline in force: of this scope, or of one above. */
  get effectiveDeadline(): number {
    return this.#node.live().effectiveDeadline;
  }

  /** How many milliseconds are left until the earliest deadline in force. */
  get remainingMs(): number {
    return Math.max(0, this.effectiveDeadline - this.#node.loop.time());
  }

  /** An abort signal that fires when the scope is cancelled. */
  get signal(): AbortSignal {
    return this.#node.live().signal;
  }

  /**
   * Cancels all that runs in the scope.
   *
   * The first cancellation counts. What runs in here sees it at its next wait.
   *
   * @param reason What to tell those who are cancelled.
   * @returns `false` if the scope was cancelled before, or has ended.
   */
  cancel(reason?: unknown): boolean {
    return cancelScope(this.#node, reason);
  }
}

/**
 * Runs `fn` in a scope of its own.
 *
 * If the scope is cancelled, the waits in it throw its one `CancelledError`; when
 * that comes out of `fn`, it comes out of here. What `fn` returns wins over a
 * cancellation that came late.
 *
 * @typeParam T What `fn` returns.
 * @param fn What to run; it receives the scope.
 * @param options Additional options.
 * @returns What `fn` returns.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {RangeError} If `options.deadlineMs` is negative or not a number.
 *
 * @example Cancel from outside
 * ```ts
 * import { CancelledError } from "@ilmek/async/errors";
 * import { withScope } from "@ilmek/async/scope";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertRejects } from "@std/assert";
 *
 * const controller = new AbortController();
 * const work = withScope(() => sleep(60_000), { signal: controller.signal });
 * controller.abort("the client has left");
 *
 * await assertRejects(() => work, CancelledError);
 * ```
 */
export async function withScope<T>(
  fn: (scope: Scope) => T | PromiseLike<T>,
  options: WithScopeOptions = {},
): Promise<T> {
  const { name, deadlineMs, signal } = options;
  checkFunction(fn, "open a scope");
  const ms = deadlineMs === undefined
    ? Infinity
    : toMs(deadlineMs, "open a scope", "deadlineMs");
  const frame = currentFrame();
  const node = new ScopeNode(frame.loop, frame.scope, { name });
  const cancel = (reason: unknown): void => {
    node.cancel(
      cancellationOf(node, undefined, { kind: "signal", cause: reason }),
    );
  };
  if (signal?.aborted) cancel(signal.reason);
  const unlisten = signal === undefined || signal.aborted
    ? undefined
    : listen(signal, cancel);
  if (ms !== Infinity) node.expireAfter(ms);
  try {
    return await openScope(frame, node, fn, new Scope(node));
  } finally {
    unlisten?.();
  }
}

/**
 * The scope of the code that runs now.
 *
 * @returns The ambient scope; the root of the loop where no other was opened.
 *
 * @example See how much time is left
 * ```ts
 * import { currentScope } from "@ilmek/async/scope";
 * import { timeout } from "@ilmek/async/timeout";
 * import { assert } from "@std/assert";
 *
 * await timeout(1000, () => {
 *   assert(currentScope().remainingMs <= 1000);
 * });
 * ```
 */
export function currentScope(): Scope {
  return new Scope(currentFrame().scope);
}

/**
 * An abort signal that fires when the ambient scope is cancelled, for `fetch` and
 * other functions of the platform.
 *
 * Its reason is the {@linkcode CancelledError}.
 *
 * @returns The signal of the ambient scope.
 *
 * @example Hand the ambient scope to the platform
 * ```ts
 * import { currentSignal, withScope } from "@ilmek/async/scope";
 * import { assert } from "@std/assert";
 *
 * await withScope((scope) => {
 *   const signal = currentSignal();
 *   scope.cancel();
 *   assert(signal.aborted);
 * });
 * ```
 */
export function currentSignal(): AbortSignal {
  return currentFrame().scope.live().signal;
}
