/**
 * Stand-in for the part of `@std/async` that tests and benchmarks use, for
 * machines that cannot reach jsr.io.
 *
 * @module
 */

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Options of {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the wait, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Whether the process stays alive for the wait.
   *
   * @default {true}
   */
  persistent?: boolean;
}

/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Waits for some milliseconds. */
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => {
    timer.clear();
    reject(signal?.reason);
  };
  const timer = startTimer(ms, persistent, () => {
    signal?.removeEventListener("abort", abort);
    resolve();
  });
  signal?.addEventListener("abort", abort, { once: true });
  return promise;
}

/** Waits for a promise, and rejects with a `DOMException` if it takes too long. */
export async function deadline<T>(
  p: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal?.reason);
  const timer = startTimer(ms, true, () => {
    reject(new DOMException("Signal timed out.", "TimeoutError"));
  });
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([over, p]);
  } finally {
    timer.clear();
    signal?.removeEventListener("abort", abort);
  }
}

/** Starts a timer that may be longer than the platform's 24.8 days. */
function startTimer(
  ms: number,
  persistent: boolean,
  fn: () => void,
): { clear(): void } {
  let left = Math.trunc(Math.max(ms, 0) || 0);
  let handle: ReturnType<typeof setTimeout>;
  const arm = () => {
    const step = Math.min(left, MAX_TIMER_MS);
    left -= step;
    handle = setTimeout(() => left > 0 ? arm() : fn(), step);
    if (!persistent) Deno.unrefTimer(Number(handle));
  };
  arm();
  return { clear: () => clearTimeout(handle) };
}
