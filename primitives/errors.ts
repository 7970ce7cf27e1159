/**
 * The errors of cancellation and of misuse that all modules share.
 *
 * ```ts
 * import { isCancelled } from "@ilmek/async/errors";
 *
 * try {
 *   await fetch("https://example.com", { signal: AbortSignal.abort() });
 * } catch (error) {
 *   if (!isCancelled(error)) throw error;
 * }
 * ```
 *
 * @module
 */
import { CancelledError } from "../_internal/errors.ts";

export {
  type CancelKind,
  CancelledError,
  type CancelledErrorOptions,
  DeadlockError,
  InvalidStateError,
  ScopeClosedError,
  TimeoutError,
} from "../_internal/errors.ts";

/**
 * Tells whether an error means that work was cancelled: a
 * {@linkcode CancelledError}, or the platform's `AbortError`.
 *
 * @param error What was caught.
 * @returns `true` if it stands for a cancellation.
 *
 * @example Let a cancellation pass
 * ```ts
 * import { CancelledError, isCancelled } from "@ilmek/async/errors";
 * import { assert } from "@std/assert";
 *
 * assert(isCancelled(new CancelledError()));
 * assert(isCancelled(new DOMException("stopped", "AbortError")));
 * assert(!isCancelled(new TypeError("wrong")));
 * ```
 */
export function isCancelled(error: unknown): boolean {
  if (error instanceof CancelledError) return true;
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * Throws `error` again if it means that work was cancelled.
 *
 * In JavaScript `catch` catches cancellations, too. This is the first line of a
 * `catch` block that goes on after other errors.
 *
 * @param error What was caught.
 * @throws The error itself, if it stands for a cancellation.
 *
 * @example Retry all but cancellations
 * ```ts
 * import { CancelledError, rethrowCancelled } from "@ilmek/async/errors";
 * import { assertThrows } from "@std/assert";
 *
 * rethrowCancelled(new TypeError("try again"));
 * assertThrows(() => rethrowCancelled(new CancelledError()), CancelledError);
 * ```
 */
export function rethrowCancelled(error: unknown): void {
  if (isCancelled(error)) throw error;
}
