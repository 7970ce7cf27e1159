/**
 * One call for all who ask for the same at the same time.
 *
 * ```ts
 * import { SingleFlight } from "@ilmek/async/single-flight";
 *
 * const users = new SingleFlight<number, string>();
 * const load = (id: number) =>
 *   users.run(id, () => Promise.resolve(`user ${id}`));
 * console.log(await Promise.all([load(1), load(1)]));
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { DeadlockError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { Flight } from "./_flight.ts";

/** Options of {@linkcode SingleFlight}. */
export interface SingleFlightOptions<T> {
  /** Makes a copy of the value for each caller, for values that callers change. */
  copy?: (value: T) => T;
  /**
   * How reports call it.
   *
   * @default {"flight"}
   */
  name?: string;
}

/** Options of {@linkcode SingleFlight.run}. */
export interface SingleFlightRunOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What the function of a {@linkcode SingleFlight} receives. */
export interface SingleFlightCall<K> {
  /** The key of the call. */
  readonly key: K;
  /** Fires when nobody waits for the call any more. */
  readonly signal: AbortSignal;
}

/** A value, and how many callers got it. */
export interface SharedValue<T> {
  /** The value. */
  readonly value: T;
  /** How many callers got it. */
  readonly shared: number;
}

/**
 * Makes one call of all that are made under the same key at the same time.
 *
 * The call runs on its own, in the context of the first caller: a caller that is
 * cancelled, or whose time runs out, leaves alone. When the last one has left, the
 * call is cancelled, and whoever asks from then on begins a new one. All who wait
 * get the same value or the same error; nothing is kept when the call has ended.
 *
 * @typeParam K The type of the keys.
 * @typeParam T The type of the values.
 *
 * @example Load once for all
 * ```ts
 * import { SingleFlight } from "@ilmek/async/single-flight";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * let loads = 0;
 * const users = new SingleFlight<number, string>();
 * const load = (id: number) =>
 *   users.run(id, async () => {
 *     loads++;
 *     return await sleep(1, { value: `user ${id}` });
 *   });
 *
 * assertEquals(await Promise.all([load(1), load(1)]), ["user 1", "user 1"]);
 * assertEquals(loads, 1);
 * ```
 */
export class SingleFlight<K, T> {
  readonly #flights = new Map<K, Flight<T>>();
  readonly #copy: ((value: T) => T) | undefined;
  readonly #name: string;

  /** Creates one without calls. */
  constructor(options: SingleFlightOptions<T> = {}) {
    const { copy, name = "flight" } = options;
    if (copy !== undefined) {
      checkFunction(copy, "create a single flight", "copy");
    }
    this.#copy = copy;
    this.#name = name;
  }

  /** How many calls are under way that one can join. */
  get size(): number {
    return this.#flights.size;
  }

  /**
   * Whether a call is under way that one would join.
   *
   * @param key The key.
   * @returns `true` if there is one.
   */
  has(key: K): boolean {
    return this.#flights.has(key);
  }

  /**
   * How many callers wait for the call of a key.
   *
   * @param key The key.
   * @returns Their number; 0 if there is no call.
   */
  waiting(key: K): number {
    return this.#flights.get(key)?.waiting ?? 0;
  }

  /**
   * Joins the call that is under way, or begins it.
   *
   * @param key What is asked for.
   * @param fn What to call, if no call is under way.
   * @param options Additional options.
   * @returns What the call gives.
   * @throws What the call throws.
   * @throws {DeadlockError} If the call itself asks for its own key.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  async run(
    key: K,
    fn: (call: SingleFlightCall<K>) => T | PromiseLike<T>,
    options: SingleFlightRunOptions = {},
  ): Promise<T> {
    return (await this.share(key, fn, options)).value;
  }

  /**
   * Joins the call that is under way, or begins it, and tells how many callers got
   * its value.
   *
   * @param key What is asked for.
   * @param fn What to call, if no call is under way.
   * @param options Additional options.
   * @returns What the call gives, and for how many.
   * @throws What the call throws; see `run`.
   */
  async share(
    key: K,
    fn: (call: SingleFlightCall<K>) => T | PromiseLike<T>,
    options: SingleFlightRunOptions = {},
  ): Promise<SharedValue<T>> {
    const { signal } = options;
    checkFunction(fn, "share a call");
    const frame = currentFrame();
    await refusal(frame, "share a call", signal);
    let flight = this.#flights.get(key);
    if (flight?.contains(frame)) {
      throw new DeadlockError(
        `Cannot join ${flight.label} in itself: it would wait for itself`,
      );
    }
    // A call that belongs to another run may end with that run.
    if (flight === undefined || flight.loop !== frame.loop) {
      flight = new Flight<T>(frame, (flight) => fn(new Call(key, flight)), {
        label: `call of ${this.#name}`,
        copy: this.#copy,
        onLeft: (flight) => {
          if (this.#flights.get(key) === flight) this.#flights.delete(key);
        },
      });
      this.#flights.set(key, flight);
    }
    return await flight.join(frame, signal);
  }

  /**
   * Lets nobody join the call of a key any more: whoever asks next begins a new one.
   * Those who wait get what they wait for.
   *
   * @param key The key.
   * @returns `false` if there was no call.
   */
  forget(key: K): boolean {
    return this.#flights.delete(key);
  }
}

class Call<K> implements SingleFlightCall<K> {
  readonly key: K;
  readonly #flight: { readonly signal: AbortSignal };

  constructor(key: K, flight: { readonly signal: AbortSignal }) {
    this.key = key;
    this.#flight = flight;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }
}
