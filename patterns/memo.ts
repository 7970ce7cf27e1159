/**
 * Values that are computed once, and kept for a while.
 *
 * ```ts
 * import { Memo } from "@ilmek/async/memo";
 *
 * const users = new Memo((id: number) => Promise.resolve(`user ${id}`), {
 *   ttlMs: 60_000,
 * });
 * console.log(await users.get(1));
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  checkMoment,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { DeadlockError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { defaultRandom } from "../_internal/random.ts";
import { refusal } from "../_internal/refuse.ts";
import { callHook } from "./_call.ts";
import { Flight } from "./_flight.ts";
import type {
  MemoCall,
  MemoGetOptions,
  MemoOptions,
  MemoStats,
} from "./_memo_types.ts";

export type { Duration } from "../_internal/check.ts";
export type {
  MemoCall,
  MemoGetOptions,
  MemoOptions,
  MemoStats,
} from "./_memo_types.ts";

/** What is kept of a key. */
interface Entry<K, T> {
  readonly key: K;
  readonly outcome: { readonly value: T } | { readonly error: unknown };
  /** The value as a promise, made once. */
  readonly promise: Promise<T>;
  /** The loop's times until which it is fresh, and until which it can be given. */
  readonly freshUntil: number;
  readonly goodUntil: number;
  /** How long it took to compute. */
  readonly tookMs: number;
  /** Before this time it is not computed anew: that has just failed. */
  notBefore: number;
}

/**
 * A function whose values are kept by key.
 *
 * Those who ask for a value that is being computed wait for the same call, which
 * runs on its own: a caller that is cancelled leaves alone, and the last one to leave
 * cancels it. An error is not kept, unless `errorTtlMs` says so.
 *
 * @typeParam K The type of the keys.
 * @typeParam T The type of the values.
 *
 * @example Give what is stale while it is loaded anew
 * ```ts
 * import { Memo } from "@ilmek/async/memo";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * let version = 0;
 * const pages = new Memo((path: string) => `${path} ${++version}`, {
 *   ttlMs: 5,
 *   staleMs: 1000,
 * });
 *
 * assertEquals(await pages.get("/"), "/ 1");
 * await sleep(10);
 * assertEquals(await pages.get("/"), "/ 1");
 * await sleep(1);
 * assertEquals(await pages.get("/"), "/ 2");
 * ```
 */
export class Memo<K, T> {
  readonly #fn: (key: K, call: MemoCall) => T | PromiseLike<T>;
  readonly #ttlOf: (value: T, key: K) => number;
  readonly #staleMs: number;
  readonly #errorTtlMs: number;
  readonly #earlyRefresh: number;
  readonly #max: number;
  readonly #keyOf: (key: K) => unknown;
  readonly #onRefreshError: ((error: unknown, key: K) => void) | undefined;
  readonly #random: () => number;
  readonly #name: string;
  /** In the order in which they were asked for: the first goes first. */
  readonly #entries = new Map<unknown, Entry<K, T>>();
  readonly #flights = new Map<unknown, Flight<T>>();
  #hits = 0;
  #staleHits = 0;
  #misses = 0;
  #refreshes = 0;

  /** Creates a memo of `fn` without values. */
  constructor(
    fn: (key: K, call: MemoCall) => T | PromiseLike<T>,
    options: MemoOptions<K, T> = {},
  ) {
    const doing = "create a memo";
    const { ttlMs = Infinity, staleMs = 0, errorTtlMs = 0 } = options;
    const { earlyRefresh = 0, max = 1000, keyOf = (key: K) => key } = options;
    const { onRefreshError, random = defaultRandom, name = "memo" } = options;
    checkFunction(fn, doing);
    checkFunction(keyOf, doing, "keyOf");
    checkFunction(random, doing, "random");
    if (onRefreshError !== undefined) {
      checkFunction(onRefreshError, doing, "onRefreshError");
    }
    checkMoment(earlyRefresh, doing, '"earlyRefresh"');
    this.#fn = fn;
    this.#ttlOf = ttlReader(ttlMs);
    this.#staleMs = toMs(staleMs, doing, "staleMs");
    this.#errorTtlMs = toMs(errorTtlMs, doing, "errorTtlMs");
    this.#earlyRefresh = toMs(earlyRefresh, doing, "earlyRefresh");
    this.#max = checkCount(max, doing, "max");
    this.#keyOf = keyOf;
    this.#onRefreshError = onRefreshError;
    this.#random = random;
    this.#name = name;
  }

  /** How many values and errors are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many values are being computed. */
  get pending(): number {
    return this.#flights.size;
  }

  /** How often there was what was asked for. */
  get stats(): MemoStats {
    return {
      hits: this.#hits,
      staleHits: this.#staleHits,
      misses: this.#misses,
      refreshes: this.#refreshes,
    };
  }

  /**
   * Gives the value of a key: the one that is kept, or a new one.
   *
   * @param key The key.
   * @param options Additional options.
   * @returns The value.
   * @throws What the function throws, or has thrown within `errorTtlMs`.
   * @throws {DeadlockError} If the function asks for the key that it computes.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  get(key: K, options: MemoGetOptions = {}): Promise<T> {
    const { signal } = options;
    const frame = currentFrame();
    const refused = refusal(frame, "get a value", signal);
    if (refused !== undefined) return refused;
    try {
      return this.#get(frame, { id: this.#keyOf(key), key }, signal);
    } catch (error) {
      // A function of the options has thrown.
      return Promise.reject(error);
    }
  }

  /**
   * The value that is kept, whether it is fresh or stale; nothing is computed.
   *
   * @param key The key.
   * @returns The value, or `undefined` if there is none.
   */
  peek(key: K): T | undefined {
    const entry = this.#entries.get(this.#keyOf(key));
    const isGood = entry !== undefined &&
      currentFrame().loop.time() < entry.goodUntil;
    return isGood && "value" in entry.outcome ? entry.outcome.value : undefined;
  }

  /**
   * Keeps a value that comes from elsewhere. What is being computed is not kept.
   *
   * @param key The key.
   * @param value The value.
   */
  set(key: K, value: T): void {
    const id = this.#keyOf(key);
    this.#flights.delete(id);
    const { loop } = currentFrame();
    this.#keep({ id, key }, { value }, loop, loop.time());
  }

  /**
   * Forgets a value. What is being computed is given to those who wait, and is not
   * kept.
   *
   * @param key The key.
   * @returns `false` if there was nothing to forget.
   */
  delete(key: K): boolean {
    const id = this.#keyOf(key);
    const wasPending = this.#flights.delete(id);
    return this.#entries.delete(id) || wasPending;
  }

  /** Forgets all values. */
  clear(): void {
    this.#flights.clear();
    this.#entries.clear();
  }

  /**
   * Computes a value anew, and keeps it. Others get the former one meanwhile.
   *
   * @param key The key.
   * @param options Additional options.
   * @returns The new value.
   * @throws What the function throws; the former value is kept then.
   */
  async refresh(key: K, options: MemoGetOptions = {}): Promise<T> {
    const { signal } = options;
    const frame = currentFrame();
    await refusal(frame, "get a value", signal);
    return await this.#join(frame, { id: this.#keyOf(key), key }, signal);
  }

  #get(
    frame: Frame,
    which: Which<K>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { id } = which;
    const entry = this.#entries.get(id);
    const now = frame.loop.time();
    if (entry === undefined || now >= entry.goodUntil) {
      this.#misses++;
      return this.#join(frame, which, signal);
    }
    // Whoever is asked for goes to the end of those that are to go.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    if (now < entry.freshUntil) this.#hits++;
    else this.#staleHits++;
    if (this.#isDue(entry, now)) this.#refresh(frame, which);
    return frame.loop.pass(entry.promise, frame);
  }

  async #join(
    frame: Frame,
    which: Which<K>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const flight = this.#flightOf(frame, which);
    if (flight.contains(frame)) {
      throw new DeadlockError(
        `Cannot get a value of "${this.#name}" while it is computed: it would wait for itself`,
      );
    }
    return (await flight.join(frame, signal)).value;
  }

  /** Computes a value in the background. */
  #refresh(frame: Frame, which: Which<K>): void {
    const { loop } = frame;
    const { id, key } = which;
    if (this.#flights.has(id)) return;
    this.#refreshes++;
    const flight = this.#flightOf(frame, which);
    flight.keep();
    flight.onEnd((outcome) => {
      if (outcome.state !== "failed") return;
      const entry = this.#entries.get(id);
      if (entry !== undefined) {
        entry.notBefore = loop.time() + this.#errorTtlMs;
      }
      this.#tellRefreshError(loop, outcome.value, key);
    });
  }

  /** The call that computes a value. */
  #flightOf(frame: Frame, which: Which<K>): Flight<T> {
    const { id, key } = which;
    const found = this.#flights.get(id);
    // A call that belongs to another run may end with that run.
    if (found !== undefined && found.loop === frame.loop) return found;
    const { loop } = frame;
    const start = loop.time();
    const isCurrent = (flight: Flight<T>) => this.#flights.get(id) === flight;
    const flight: Flight<T> = new Flight<T>(frame, async (flight) => {
      try {
        const value = await this.#fn(key, flight);
        if (isCurrent(flight)) this.#keep(which, { value }, loop, start);
        return value;
      } catch (error) {
        const had = this.#entries.get(id);
        // A value that can still be given is better than an error.
        const isBetter = had !== undefined && loop.time() < had.goodUntil &&
          "value" in had.outcome;
        if (isCurrent(flight) && this.#errorTtlMs > 0 && !isBetter) {
          this.#keep(which, { error }, loop, start);
        }
        throw error;
      }
    }, {
      label: `call of ${this.#name}`,
      onLeft: (flight) => {
        if (isCurrent(flight)) this.#flights.delete(id);
      },
    });
    this.#flights.set(id, flight);
    return flight;
  }

  #keep(
    { id, key }: Which<K>,
    outcome: Entry<K, T>["outcome"],
    loop: EventLoop,
    start: number,
  ): void {
    const now = loop.time();
    const isValue = "value" in outcome;
    const ttlMs = isValue ? this.#ttlOf(outcome.value, key) : this.#errorTtlMs;
    const promise = isValue
      ? Promise.resolve(outcome.value)
      : Promise.reject(outcome.error);
    promise.catch(() => {});
    this.#entries.delete(id);
    const freshUntil = now + ttlMs;
    this.#entries.set(id, {
      key,
      outcome,
      promise,
      freshUntil,
      goodUntil: freshUntil + (isValue ? this.#staleMs : 0),
      tookMs: now - start,
      notBefore: 0,
    });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#max) break;
      this.#entries.delete(oldest);
    }
  }

  /**
   * Whether a value is to be computed anew. Before it expires that is so by chance:
   * the probability grows towards the end (XFetch, Vattani et al. 2015).
   */
  #isDue(entry: Entry<K, T>, now: number): boolean {
    if (!("value" in entry.outcome) || now < entry.notBefore) return false;
    if (now >= entry.freshUntil) return true;
    if (this.#earlyRefresh === 0 || entry.freshUntil === Infinity) return false;
    const ahead = entry.tookMs * this.#earlyRefresh *
      -Math.log(1 - this.#random());
    return now + ahead >= entry.freshUntil;
  }

  #tellRefreshError(loop: EventLoop, error: unknown, key: K): void {
    const onRefreshError = this.#onRefreshError;
    if (onRefreshError === undefined) {
      return loop.report({
        message: `Cannot compute a value of "${this.#name}" anew`,
        exception: error,
      });
    }
    callHook(loop, this.#name, () => onRefreshError(error, key), undefined);
  }
}

/** A key, and what makes it the same as another. */
interface Which<K> {
  readonly id: unknown;
  readonly key: K;
}

function ttlReader<T, K>(
  ttl: Duration | ((value: T, key: K) => Duration),
): (value: T, key: K) => number {
  if (typeof ttl === "function") {
    return (value, key) => toMs(ttl(value, key), "keep a value", "ttlMs");
  }
  const ms = toMs(ttl, "create a memo", "ttlMs");
  return () => ms;
}
