/**
 * Limits of time: work that must end, and is cancelled if it does not.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { timeout } from "@ilmek/async/timeout";
 *
 * await timeout(1000, () => sleep(1));
 * ```
 *
 * @module
 */
import {
  checkFunction,
  checkMoment,
  type Duration,
  toLimitMs,
} from "../_internal/check.ts";
import { InvalidStateError, TimeoutError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { openScope } from "../_internal/open_scope.ts";
import { ScopeNode } from "../_internal/scope_node.ts";

export { TimeoutError } from "../_internal/errors.ts";

/** Options of {@linkcode timeout} and its relatives. */
export interface TimeoutOptions {
  /** How the error and reports call the work. */
  label?: string;
}

/** What {@linkcode moveOnAfter} gives. */
export type MoveOnResult<T> =
  | { readonly timedOut: false; readonly value: T }
  | { readonly timedOut: true; readonly value: undefined };

/**
 * The limit of time that a function runs under.
 *
 * @example Move a limit while the work makes progress
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { sleep } from "@ilmek/async/sleep";
 * import { timeout } from "@ilmek/async/timeout";
 * import { assertEquals } from "@std/assert";
 *
 * const expired = await timeout(500, async (limit) => {
 *   await sleep(1);
 *   limit.reschedule(getRunningLoop().time() + 60_000);
 *   await sleep(1);
 *   return limit.expired;
 * });
 *
 * assertEquals(expired, false);
 * ```
 */
export class TimeoutScope {
  readonly #node: ScopeNode;
  #rescheduled = false;

  /**
   * It comes from `timeout` and its relatives.
   *
   * @internal
   */
  constructor(node: ScopeNode) {
    this.#node = node;
  }

  /**
   * The error that says that the time ran out.
   *
   * @internal
   */
  static errorOf(limit: TimeoutScope, ms: number | undefined): TimeoutError {
    const node = limit.#node;
    // A limit that was moved is no longer so and so many milliseconds.
    return new TimeoutError(limit.#rescheduled ? undefined : ms, {
      deadline: node.deadline,
      ...(node.name === undefined ? {} : { label: node.name }),
      cause: node.cancelledBy,
    });
  }

  /** The loop's time at which the work is cancelled; `null` for never. */
  get when(): number | null {
    const { deadline } = this.#node;
    return deadline === Infinity ? null : deadline;
  }

  /** Whether the time ran out while the work was under way. */
  get expired(): boolean {
    return this.#node.cancelledBy?.kind === "deadline";
  }

  /** How many milliseconds are left, of this limit or of a nearer one above. */
  get remainingMs(): number {
    const { effectiveDeadline, loop } = this.#node;
    return Math.max(0, effectiveDeadline - loop.time());
  }

  /** An abort signal that fires when the work is cancelled. */
  get signal(): AbortSignal {
    return this.#node.signal;
  }

  /**
   * Moves the limit.
   *
   * @param when The loop's time of the new limit; `null` for none.
   * @throws {RangeError} If `when` is not a number.
   * @throws {InvalidStateError} If the time ran out, or the work has ended.
   */
  reschedule(when: number | null): void {
    checkLimit(when, "move a timeout");
    if (this.#node.exited || this.#node.cancelledBy !== undefined) {
      throw new InvalidStateError(
        `Cannot move a timeout: ${
          this.expired ? "its time has run out" : "its work has ended"
        }`,
      );
    }
    this.#node.deadline = when ?? Infinity;
    this.#rescheduled = true;
  }
}

/**
 * Runs `fn`, and cancels it when `ms` milliseconds have passed.
 *
 * The error comes once the work has really ended, cleanup included. What `fn`
 * returns wins over a limit that passed meanwhile. The time counts from the call;
 * with 0 the first wait in `fn` throws.
 *
 * @typeParam T What `fn` returns.
 * @param ms The limit; `null` for none.
 * @param fn What to run; it receives the limit.
 * @param options Additional options.
 * @returns What `fn` returns.
 * @throws {TimeoutError} If the time ran out and `fn` ended by that.
 * @throws {RangeError} If `ms` is negative or not a number.
 *
 * @example Give up after a while
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { timeout, TimeoutError } from "@ilmek/async/timeout";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => timeout(5, () => sleep(60_000)), TimeoutError);
 * ```
 */
export function timeout<T>(
  ms: Duration | null,
  fn: (limit: TimeoutScope) => T | PromiseLike<T>,
  options: TimeoutOptions = {},
): Promise<T> {
  const frame = currentFrame();
  try {
    checkFunction(fn, "set a timeout");
    const limitMs = toLimitMs(ms, "set a timeout");
    return finish(frame, openAfter(frame, limitMs, options), limitMs, fn);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Runs `fn`, and cancels it when the loop's time is `when`.
 *
 * @typeParam T What `fn` returns.
 * @param when The limit in the loop's time; `null` for none.
 * @param fn What to run; it receives the limit.
 * @param options Additional options.
 * @returns What `fn` returns.
 * @throws {TimeoutError} If the time ran out and `fn` ended by that.
 * @throws {RangeError} If `when` is not a number.
 *
 * @example Share one limit between two calls
 * ```ts
 * import { getRunningLoop } from "@ilmek/async/loop";
 * import { timeoutAt } from "@ilmek/async/timeout";
 * import { assertEquals } from "@std/assert";
 *
 * const limit = getRunningLoop().time() + 1000;
 * const one = await timeoutAt(limit, () => 1);
 * const two = await timeoutAt(limit, () => 2);
 *
 * assertEquals(one + two, 3);
 * ```
 */
export async function timeoutAt<T>(
  when: number | null,
  fn: (limit: TimeoutScope) => T | PromiseLike<T>,
  options: TimeoutOptions = {},
): Promise<T> {
  checkFunction(fn, "set a timeout");
  checkLimit(when, "set a timeout");
  const frame = currentFrame();
  const { label: name } = options;
  const node = new ScopeNode(frame.loop, frame.scope, { name });
  if (when !== null && when <= frame.loop.time()) expireNow(node, when);
  else node.deadline = when ?? Infinity;
  return await finish(frame, node, undefined, fn);
}

/**
 * Runs `fn` for at most `ms` milliseconds, and goes on without an error if the
 * time runs out.
 *
 * @typeParam T What `fn` returns.
 * @param ms The limit; `null` for none.
 * @param fn What to run; it receives the limit.
 * @param options Additional options.
 * @returns What `fn` returned, or that the time ran out.
 * @throws {RangeError} If `ms` is negative or not a number.
 *
 * @example Do as much as there is time for
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { moveOnAfter } from "@ilmek/async/timeout";
 * import { assertEquals } from "@std/assert";
 *
 * const { timedOut } = await moveOnAfter(5, () => sleep(60_000));
 *
 * assertEquals(timedOut, true);
 * ```
 */
export async function moveOnAfter<T>(
  ms: Duration | null,
  fn: (limit: TimeoutScope) => T | PromiseLike<T>,
  options: TimeoutOptions = {},
): Promise<MoveOnResult<T>> {
  checkFunction(fn, "set a timeout");
  const limitMs = toLimitMs(ms, "set a timeout");
  const frame = currentFrame();
  const node = openAfter(frame, limitMs, options);
  try {
    const value = await openScope(frame, node, fn, new TimeoutScope(node));
    return { timedOut: false, value };
  } catch (error) {
    absorb(frame, node, error);
    return { timedOut: true, value: undefined };
  }
}

/** A scope that is cancelled when its time has come. */
function openAfter(
  frame: Frame,
  ms: number,
  { label: name }: TimeoutOptions,
): ScopeNode {
  const node = new ScopeNode(frame.loop, frame.scope, { name });
  if (ms === 0) expireNow(node, frame.loop.time());
  else if (ms !== Infinity) node.expireAfter(ms);
  return node;
}

/** The time is over before the work begins: its first wait throws. */
function expireNow(node: ScopeNode, when: number): void {
  node.cancel(node.deadlineError());
  node.deadline = when;
}

async function finish<T>(
  frame: Frame,
  node: ScopeNode,
  ms: number | undefined,
  fn: (limit: TimeoutScope) => T | PromiseLike<T>,
): Promise<T> {
  const limit = new TimeoutScope(node);
  try {
    return await openScope(frame, node, fn, limit);
  } catch (error) {
    absorb(frame, node, error);
    throw TimeoutScope.errorOf(limit, ms);
  }
}

/** Throws what the work has ended with, unless it is the limit's own cancellation. */
function absorb(frame: Frame, node: ScopeNode, error: unknown): void {
  if (error === undefined || error !== node.cancelledBy) throw error;
  // Who cancelled from further out comes first: it wants more to end.
  const { struck } = frame.scope.live();
  if (struck !== undefined) throw struck;
}

function checkLimit(when: number | null, doing: string): void {
  if (when !== null) checkMoment(when, doing, '"when"', "a number or null");
}
