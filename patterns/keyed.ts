/**
 * One instance of a policy for each key, and no more of them than fit.
 *
 * ```ts ignore
 * const breakers = keyed((host: string) => new CircuitBreaker({ name: host }));
 *
 * await breakers.run("example.com", () => fetch("https://example.com"));
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { type Linked, LinkedList } from "../_internal/linked_list.ts";
import {
  type ContextOf,
  type Policy,
  type PolicyContext,
  PolicyError,
  type PolicyRunOptions,
  type ValueOf,
} from "./policy.ts";

export type { Duration } from "../_internal/check.ts";

/** How many instances one call looks at to find one that may go. */
const LOOKS = 16;

/** What can be kept by key. */
export interface KeyedInstance<
  C extends PolicyContext = PolicyContext,
  V = never,
> extends Policy<C, V> {
  /**
   * Whether the instance is as it was when it was made, so that a new one could
   * stand in for it. Only then may it be dropped.
   */
  readonly pristine: boolean;
}

/** Options of {@linkcode keyed}. */
export interface KeyedOptions {
  /**
   * How errors and reports call the whole.
   *
   * @default {"keyed"}
   */
  name?: string;
  /**
   * How many instances are kept at most.
   *
   * @default {10000}
   */
  max?: number;
  /**
   * After how long an instance that nobody asks for may be dropped.
   *
   * @default {Infinity}
   */
  idleMs?: Duration;
  /**
   * What a new key gets if no instance may be dropped: an error, or one instance
   * that all such keys share.
   *
   * @default {"reject"}
   */
  onFull?: "reject" | "share-overflow";
}

/** What {@linkcode Keyed.snapshot} tells. */
export interface KeyedSnapshot {
  /** How many instances are kept. */
  readonly size: number;
  /** How many instances are kept at most. */
  readonly max: number;
  /** How many instances were dropped so far. */
  readonly evicted: number;
  /** How many new keys found no room so far. */
  readonly overflowed: number;
}

/** Thrown for a new key if all instances are in use. */
export class KeyedFullError extends PolicyError {
  static {
    this.prototype.name = "KeyedFullError";
  }
  /** How many instances are kept at most. */
  readonly max: number;

  /** Creates the refusal of `key`. */
  constructor(policy: string, key: string, max: number) {
    super(
      `Cannot make an instance of "${policy}" for "${key}": all ${max} are in use`,
      { policy, key },
    );
    this.max = max;
  }
}

class Entry<K, P> implements Linked<Entry<K, P>> {
  prev: Entry<K, P> | undefined = undefined;
  next: Entry<K, P> | undefined = undefined;
  readonly key: K;
  readonly instance: P;
  usedAt: number;

  constructor(key: K, instance: P, usedAt: number) {
    this.key = key;
    this.instance = instance;
    this.usedAt = usedAt;
  }
}

/**
 * Policies by key, made when a key is first asked for; see {@linkcode keyed}.
 *
 * @typeParam K The keys.
 * @typeParam P The policies.
 *
 * @example Look at the instance of one key
 * ```ts
 * import { keyed } from "@ilmek/async/keyed";
 * import type { Policy } from "@ilmek/async/policy";
 * import { assertEquals } from "@std/assert";
 *
 * const run: Policy["run"] = async (fn) => await fn({
 *   signal: new AbortController().signal,
 *   attempt: 1,
 *   deadline: Infinity,
 * });
 * const hosts = keyed((host: string) => ({ host, pristine: true, run }));
 *
 * assertEquals(hosts.get("a.example").host, "a.example");
 * assertEquals(hosts.size, 1);
 * ```
 */
export class Keyed<K, P extends KeyedInstance<PolicyContext, unknown>> {
  readonly #name: string;
  readonly #create: (key: K) => P;
  readonly #max: number;
  readonly #idleMs: number;
  readonly #onFull: "reject" | "share-overflow";
  readonly #entries = new Map<K, Entry<K, P>>();
  /** Invariant: the same entries, least recently used first. */
  readonly #line = new LinkedList<Entry<K, P>>();
  #overflow: P | undefined = undefined;
  #evicted = 0;
  #overflowed = 0;

  /**
   * It comes from `keyed`.
   *
   * @internal
   */
  constructor(create: (key: K) => P, options: KeyedOptions) {
    const doing = "keep policies by key";
    const { name = "keyed", max = 10_000, onFull = "reject" } = options;
    checkFunction(create, doing, "create");
    if (onFull !== "reject" && onFull !== "share-overflow") {
      throw new TypeError(
        `Cannot ${doing} as "onFull" must be "reject" or "share-overflow": current value is ${
          show(onFull)
        }`,
      );
    }
    this.#name = name;
    this.#create = create;
    this.#max = checkCount(max, doing, "max");
    this.#idleMs = toMs(options.idleMs ?? Infinity, doing, "idleMs");
    this.#onFull = onFull;
  }

  /** How many instances are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * The instance of a key, made if there is none.
   *
   * @param key The key.
   * @returns The instance; the shared one if there is no room.
   * @throws {KeyedFullError} If there is no room and `onFull` is `"reject"`.
   */
  get(key: K): P {
    const now = currentFrame().loop.time();
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.usedAt = now;
      this.#line.remove(known);
      this.#line.push(known);
      return known.instance;
    }
    this.#dropIdle(now);
    if (this.size >= this.#max && !this.#dropOne()) {
      this.#overflowed++;
      if (this.#onFull === "share-overflow") {
        return this.#overflow ??= this.#create(key);
      }
      throw new KeyedFullError(this.#name, String(key), this.#max);
    }
    const entry = new Entry(key, this.#create(key), now);
    this.#entries.set(key, entry);
    this.#line.push(entry);
    return entry.instance;
  }

  /**
   * The instance of a key, if there is one. It does not count as a use.
   *
   * @param key The key.
   * @returns The instance, or `undefined`.
   */
  peek(key: K): P | undefined {
    return this.#entries.get(key)?.instance;
  }

  /**
   * Runs `fn` under the instance of a key.
   *
   * @typeParam T What `fn` returns.
   * @param key The key.
   * @param fn What to run.
   * @param options Additional options.
   * @returns What the instance gives.
   * @throws {KeyedFullError} If there is no room and `onFull` is `"reject"`.
   */
  run<T>(
    key: K,
    fn: (context: ContextOf<P>) => T | PromiseLike<T>,
    options: PolicyRunOptions = {},
  ): Promise<T | ValueOf<P>> {
    let instance: P;
    try {
      instance = this.get(key);
    } catch (error) {
      return Promise.reject(error);
    }
    return instance.run(fn as never, options) as Promise<T | ValueOf<P>>;
  }

  /**
   * What can be told of the whole at this moment.
   *
   * @returns Plain data.
   */
  snapshot(): KeyedSnapshot {
    return {
      size: this.size,
      max: this.#max,
      evicted: this.#evicted,
      overflowed: this.#overflowed,
    };
  }

  /** The keys and their instances, least recently used first. */
  *[Symbol.iterator](): Generator<[key: K, instance: P]> {
    for (let e = this.#line.head; e !== undefined;) {
      const { next } = e;
      yield [e.key, e.instance];
      e = next;
    }
  }

  #dropIdle(now: number): void {
    if (this.#idleMs === Infinity) return;
    for (let looks = 0; looks < LOOKS; looks++) {
      const { head } = this.#line;
      if (head === undefined || now - head.usedAt < this.#idleMs) return;
      if (head.instance.pristine) this.#drop(head);
      else this.#spare(head);
    }
  }

  /** Drops the least recently used of those that may go. */
  #dropOne(): boolean {
    const looks = Math.min(LOOKS, this.size);
    for (let look = 0; look < looks; look++) {
      const head = this.#line.head as Entry<K, P>;
      if (head.instance.pristine) {
        this.#drop(head);
        return true;
      }
      this.#spare(head);
    }
    return false;
  }

  /** What must stay goes to the end, so that the next look finds others. */
  #spare(entry: Entry<K, P>): void {
    this.#line.remove(entry);
    this.#line.push(entry);
  }

  #drop(entry: Entry<K, P>): void {
    this.#line.remove(entry);
    this.#entries.delete(entry.key);
    this.#evicted++;
  }
}

/**
 * Keeps one instance of a policy for each key.
 *
 * Instances are made when they are first asked for. If there are too many, or one
 * was not asked for in a long time, the least recently used go; but only those
 * that are as they were when they were made. A breaker that has seen failures, or
 * a limiter that has given tokens away, stays: dropping it would undo what it is
 * there for.
 *
 * @typeParam K The keys.
 * @typeParam P The policies.
 * @param create Makes the instance of a key.
 * @param options Additional options.
 * @returns The instances.
 * @throws {RangeError} If `options.max` is not an integer >= 1.
 * @throws {RangeError} If `options.idleMs` is negative or not a number.
 *
 * @example Count the calls of each host
 * ```ts
 * import { keyed, type KeyedInstance } from "@ilmek/async/keyed";
 * import { assertEquals } from "@std/assert";
 *
 * class Counter implements KeyedInstance {
 *   calls = 0;
 *   get pristine() {
 *     return this.calls === 0;
 *   }
 *   run: KeyedInstance["run"] = async (fn) => {
 *     this.calls++;
 *     const { signal } = new AbortController();
 *     return await fn({ signal, attempt: 1, deadline: Infinity });
 *   };
 * }
 * const counters = keyed((_host: string) => new Counter(), { max: 1000 });
 * await counters.run("a.example", () => "page");
 *
 * assertEquals(counters.get("a.example").calls, 1);
 * assertEquals(counters.get("b.example").calls, 0);
 * ```
 */
export function keyed<K, P extends KeyedInstance<PolicyContext, unknown>>(
  create: (key: K) => P,
  options: KeyedOptions = {},
): Keyed<K, P> {
  return new Keyed(create, options);
}
