/**
 * Places where code that does not wait for long can be cancelled, and gives way.
 *
 * ```ts
 * import { checkpoint } from "@ilmek/async/checkpoint";
 *
 * for (let i = 0; i < 1000; i++) {
 *   // A piece of a long computation ...
 *   await checkpoint();
 * }
 * ```
 *
 * @module
 */
import { Claim } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { isThenable, show } from "../_internal/check.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";

const DONE: Promise<void> = Promise.resolve();

/**
 * Throws if the ambient scope is cancelled, and now and then gives way, so that
 * timers and I/O are served.
 *
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Make a long computation cancellable
 * ```ts
 * import { checkpoint } from "@ilmek/async/checkpoint";
 * import { timeout } from "@ilmek/async/timeout";
 * import { TimeoutError } from "@ilmek/async/errors";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(
 *   () =>
 *     timeout(1, async () => {
 *       for (;;) await checkpoint();
 *     }),
 *   TimeoutError,
 * );
 * ```
 */
export function checkpoint(): Promise<void> {
  const frame = currentFrame();
  return refusal(frame, "go on") ?? frame.loop.pass(DONE, frame);
}

/**
 * Throws if the ambient scope is cancelled; it never waits.
 *
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Stop a synchronous loop
 * ```ts
 * import { throwIfCancelled } from "@ilmek/async/checkpoint";
 * import { CancelledError } from "@ilmek/async/errors";
 * import { withScope } from "@ilmek/async/scope";
 * import { assertThrows } from "@std/assert";
 *
 * await withScope((scope) => {
 *   throwIfCancelled();
 *   scope.cancel();
 *   assertThrows(() => throwIfCancelled(), CancelledError);
 * });
 * ```
 */
export function throwIfCancelled(): void {
  const { struck } = currentFrame().scope.live();
  if (struck !== undefined) throw struck;
}

/** Options of {@linkcode abortable}. */
export interface AbortableOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * Waits for a foreign promise so that the ambient scope can end the wait.
 *
 * The work behind the promise goes on; what it gives later is dropped. On a loop
 * with virtual time the clock stands until the promise is settled.
 *
 * @typeParam T What the promise gives.
 * @param promise The promise to wait for.
 * @param options Additional options.
 * @returns What the promise gives.
 * @throws {TypeError} If `promise` is not a promise.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws The reason of `options.signal`, if it aborts before.
 *
 * @example Leave a promise that never settles
 * ```ts
 * import { abortable } from "@ilmek/async/checkpoint";
 * import { TimeoutError } from "@ilmek/async/errors";
 * import { timeout } from "@ilmek/async/timeout";
 * import { assertRejects } from "@std/assert";
 *
 * const never = new Promise(() => {});
 * await assertRejects(() => timeout(1, () => abortable(never)), TimeoutError);
 * ```
 */
export function abortable<T>(
  promise: PromiseLike<T>,
  options: AbortableOptions = {},
): Promise<T> {
  if (!isThenable(promise)) {
    return Promise.reject(
      new TypeError(
        `Cannot wait as "promise" must be a promise: current value is ${
          show(promise)
        }`,
      ),
    );
  }
  const frame = currentFrame();
  const refused = refusal(frame, "wait for a promise", options.signal);
  if (refused !== undefined) {
    Promise.resolve(promise).catch(() => {});
    return refused;
  }
  const claim = new Claim<T>(frame, "a promise");
  const release = frame.loop.hold("a promise", { bare: true });
  linkSignal(claim as Claim, options.signal);
  const unlink = claim.cleanup;
  claim.cleanup = () => {
    unlink?.();
    release();
  };
  const parked = claim.wait();
  Promise.resolve(promise).then(
    (value) => claim.grant(value),
    (error) => claim.fail(error),
  );
  return parked;
}
