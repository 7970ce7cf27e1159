import type { Duration } from "../_internal/check.ts";

/** Options of `Memo`. */
export interface MemoOptions<K, T> {
  /**
   * How long a value is fresh.
   *
   * @default {Infinity}
   */
  ttlMs?: Duration | ((value: T, key: K) => Duration);
  /**
   * For how long after that a value is still given, while another one is computed.
   *
   * @default {0}
   */
  staleMs?: Duration;
  /**
   * How long an error is kept, and thrown again.
   *
   * @default {0}
   */
  errorTtlMs?: Duration;
  /**
   * How eagerly values are computed anew before they expire: the more so the longer
   * that takes, so that many callers are not all late at once. 1 is a good value; 0
   * never does.
   *
   * @default {0}
   */
  earlyRefresh?: number;
  /**
   * How many values and errors are kept. The one that was not asked for the longest
   * goes first.
   *
   * @default {1000}
   */
  max?: number;
  /** What makes keys the same, if they are objects. */
  keyOf?: (key: K) => unknown;
  /**
   * Called if a value could not be computed anew in the background. Without it, that
   * goes to the exception handler of the loop.
   */
  onRefreshError?: (error: unknown, key: K) => void;
  /**
   * Where random numbers come from: from 0 up to 1.
   *
   * @default {Math.random}
   */
  random?: () => number;
  /**
   * How reports call it.
   *
   * @default {"memo"}
   */
  name?: string;
}

/** Options of `Memo.get`. */
export interface MemoGetOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What the function of a `Memo` receives besides the key. */
export interface MemoCall {
  /** Fires when nobody waits for the value any more. */
  readonly signal: AbortSignal;
}

/** How often a `Memo` had what was asked for. */
export interface MemoStats {
  /** A fresh value or error was there. */
  readonly hits: number;
  /** A value was there that had expired. */
  readonly staleHits: number;
  /** Nothing was there. */
  readonly misses: number;
  /** How often a value was computed anew in the background. */
  readonly refreshes: number;
}
