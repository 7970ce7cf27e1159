/**
 * Going over what comes in time: the operators of iterators, for all that `for
 * await` takes.
 *
 * ```ts
 * import { iter } from "@ilmek/async/async-iter";
 *
 * const pages = iter([1, 2, 3, 4])
 *   .map((n) => fetchPage(n), { concurrency: 2 })
 *   .filter((page) => page.length > 0);
 * for await (const page of pages) console.log(page);
 *
 * async function fetchPage(n: number): Promise<string> {
 *   return await Promise.resolve(`page ${n}`);
 * }
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  type Duration,
  isThenable,
  toMs,
} from "../_internal/check.ts";
import { LatestWork, MergeWork, ZipWork } from "./_combine.ts";
import { CrewPull, type Work } from "./_crew_pull.ts";
import { FlatPull, Openers } from "./_flat.ts";
import { Fused } from "./_fused.ts";
import type {
  IterBatchOptions,
  IterEnumerateOptions,
  IterForEachOptions,
  IterItem,
  IterItems,
  IterMapOptions,
  IterOptions,
  IterShareOptions,
  IterSource,
} from "./_iter_types.ts";
import { MapWork } from "./_map_concurrent.ts";
import type { Opener, Pull, PullSettings } from "./_pull.ts";
import { openerOf, registerOpener } from "./_opener.ts";
import { Run } from "./_run.ts";
import { Shared } from "./_share.ts";
import {
  BatchStage,
  DropStage,
  DropWhileStage,
  FilterStage,
  FindStage,
  type Fold,
  FoldStage,
  MapStage,
  SinkStage,
  SKIP,
  type Stage,
  type StageMaker,
  TakeStage,
  TakeWhileStage,
  TapStage,
} from "./_stages.ts";
import { SwitchWork } from "./_switch.ts";
import {
  BatchWork,
  BufferWork,
  DebounceWork,
  ThrottleWork,
  TimeoutWork,
} from "./_timed.ts";
import { toReadable } from "./_readable.ts";

export type { Duration } from "../_internal/check.ts";
export type * from "./_iter_types.ts";

/**
 * Makes an {@linkcode AsyncIter} of anything that can be gone over.
 *
 * Promises among the items are awaited. Whoever goes over it owns the source: it
 * is ended on every way out of the loop.
 *
 * @typeParam T The type of the items.
 * @param source What to go over; a function gives it anew for each loop.
 * @param options Additional options.
 * @returns What the operators are methods of.
 * @throws {TypeError} If `source` cannot be gone over.
 * @throws {RangeError} If `options.graceMs` is negative or not a number.
 *
 * @example Take what comes apart, and put it together
 * ```ts
 * import { iter } from "@ilmek/async/async-iter";
 * import { assertEquals } from "@std/assert";
 *
 * async function* words() {
 *   yield* ["a", "bb", "ccc", "dddd"];
 * }
 *
 * const lengths = await iter(words)
 *   .map((word) => word.length)
 *   .filter((length) => length > 1)
 *   .batch(2)
 *   .toArray();
 *
 * assertEquals(lengths, [[2, 3], [4]]);
 * ```
 */
export function iter<T>(
  source: IterSource<T>,
  options: IterOptions = {},
): AsyncIter<Awaited<T>> {
  const { graceMs = 5000 } = options;
  const ms = toMs(graceMs, "go over a source", "graceMs");
  return new AsyncIter(openerOf(source, "go over a source"), [], {
    graceMs: ms,
  });
}

/**
 * Items that come in time, and what is to be done to them.
 *
 * Nothing happens until somebody asks for the first item, and nothing is pulled
 * that was not asked for, unless an operator says so. Each loop goes over the
 * source anew. On every way out, by `break`, by an error, or since the scope was
 * cancelled, all sources are ended before the loop is left. A function is called in
 * the async context of whoever goes over the items.
 *
 * @typeParam T The type of the items.
 *
 * @example Leave early: the source is ended
 * ```ts
 * import { iter } from "@ilmek/async/async-iter";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const source = iter(async function* () {
 *   try {
 *     yield* [1, 2, 3];
 *   } finally {
 *     log.push("ended");
 *   }
 * });
 *
 * for await (const n of source.map((n) => n * 10)) {
 *   log.push(`got ${n}`);
 *   break;
 * }
 *
 * assertEquals(log, ["got 10", "ended"]);
 * ```
 */
export class AsyncIter<T> implements AsyncIterable<T> {
  readonly #open: Opener;
  readonly #stages: readonly StageMaker[];
  readonly #settings: PullSettings;

  /**
   * They come from `iter`.
   *
   * @internal
   */
  constructor(
    open: Opener,
    stages: readonly StageMaker[],
    settings: PullSettings,
  ) {
    this.#open = open;
    this.#stages = stages;
    this.#settings = settings;
  }

  /** Begins to go over the items. */
  [Symbol.asyncIterator](): AsyncIteratorObject<T, undefined> {
    return new Run<T>(this.#pull(), this.#settings);
  }

  /**
   * Gives what `fn` makes of each item.
   *
   * With a `concurrency` above 1 it pulls ahead to keep so many calls under way,
   * each in a task of its own. When one fails, the others are cancelled.
   */
  map<U>(
    fn: (item: T, index: number) => U | PromiseLike<U>,
    options: IterMapOptions = {},
  ): AsyncIter<Awaited<U>> {
    const { concurrency = 1, ordered = true, buffer = 0 } = options;
    checkFunction(fn, "map items");
    const plan = {
      concurrency: checkCount(concurrency, "map items", "concurrency"),
      ordered,
      buffer: checkCount(buffer, "map items", "buffer", 0),
    };
    if (concurrency === 1 && buffer === 0) {
      return this.#then(() => new MapStage(fn as Mapper));
    }
    return this.#work((open, settings) =>
      new MapWork(open, fn as Mapper, plan, settings)
    );
  }

  /** Gives the items for which `fn` gives something true. */
  filter<U extends T>(fn: (item: T, index: number) => item is U): AsyncIter<U>;
  /** Gives the items for which `fn` gives something true. */
  filter(fn: (item: T, index: number) => unknown): AsyncIter<T>;
  filter(fn: (item: T, index: number) => unknown): AsyncIter<T> {
    checkFunction(fn, "filter items");
    return this.#then(() => new FilterStage(fn as Mapper));
  }

  /** Gives the items of what `fn` gives for each item, one after the other. */
  flatMap<U>(
    fn: (item: T, index: number) => IterSource<U> | PromiseLike<IterSource<U>>,
  ): AsyncIter<Awaited<U>> {
    checkFunction(fn, "map items");
    const settings = this.#settings;
    return this.#from(() => {
      let index = 0;
      const openInner = (item: unknown) => openGiven(fn, item, index++);
      return new FlatPull(this.#bare(), openInner, settings);
    });
  }

  /**
   * Gives the items of what `fn` gives for the latest item. When a new item comes,
   * what was gone over before is cancelled, and its end is waited for.
   */
  switchMap<U>(
    fn: (item: T, index: number) => IterSource<U> | PromiseLike<IterSource<U>>,
  ): AsyncIter<Awaited<U>> {
    checkFunction(fn, "map items");
    const openInner = (item: unknown, index: number) =>
      openGiven(fn, item, index);
    return this.#work((open, settings) =>
      new SwitchWork(open, openInner, settings)
    );
  }

  /** Gives the first `limit` items. */
  take(limit: number): AsyncIter<T> {
    checkCount(limit, "take items", "limit", 0);
    return this.#then(() => new TakeStage(limit));
  }

  /** Leaves out the first `limit` items. */
  drop(limit: number): AsyncIter<T> {
    checkCount(limit, "drop items", "limit", 0);
    return this.#then(() => new DropStage(limit));
  }

  /** Gives items until `fn` gives something false. */
  takeWhile(fn: (item: T, index: number) => unknown): AsyncIter<T> {
    checkFunction(fn, "take items");
    return this.#then(() => new TakeWhileStage(fn as Mapper));
  }

  /** Leaves out items until `fn` gives something false. */
  dropWhile(fn: (item: T, index: number) => unknown): AsyncIter<T> {
    checkFunction(fn, "drop items");
    return this.#then(() => new DropWhileStage(fn as Mapper));
  }

  /** Calls `fn` with each item, waits for it, and gives the item. */
  tap(fn: (item: T, index: number) => unknown): AsyncIter<T> {
    checkFunction(fn, "look at items");
    return this.#then(() => new TapStage(fn as Mapper));
  }

  /** Gives pairs of a number and an item. */
  enumerate(
    options: IterEnumerateOptions = {},
  ): AsyncIter<[index: number, item: T]> {
    const { start = 0 } = options;
    return this.#then(() =>
      new MapStage((item, index) => [start + index, item])
    );
  }

  /**
   * Gives lists of `size` items; the last may be shorter.
   *
   * With `withinMs` a list also comes when so much time has passed since its first
   * item: while it is used, one more item is waited for.
   */
  batch(size: number, options: IterBatchOptions = {}): AsyncIter<T[]> {
    const { withinMs = Infinity } = options;
    checkCount(size, "batch items", "size");
    const ms = toMs(withinMs, "batch items", "withinMs");
    if (ms === Infinity) return this.#then(() => new BatchStage(size));
    return this.#work((open, settings) =>
      new BatchWork(open, size, ms, settings)
    );
  }

  /** Gives these items, then those of the other sources, one after the other. */
  concat<S extends readonly IterSource<unknown>[]>(
    ...others: S
  ): AsyncIter<T | IterItem<S[number]>> {
    const settings = this.#settings;
    const openers = this.#with(others, "concat");
    return this.#from(() =>
      new FlatPull(
        new Openers(openers, settings),
        (open) => (open as Opener)(),
        settings,
      )
    );
  }

  /**
   * Gives the items of all sources as they come. Each source is asked for one item
   * at a time.
   */
  merge<S extends readonly IterSource<unknown>[]>(
    ...others: S
  ): AsyncIter<T | IterItem<S[number]>> {
    const openers = this.#with(others, "merge");
    return this.#work((_, settings) => new MergeWork(openers, settings));
  }

  /**
   * Gives the first items of all sources, then the second ones, and so on, until
   * one of the sources ends. All are asked at once.
   */
  zip<S extends readonly IterSource<unknown>[]>(
    ...others: S
  ): AsyncIter<[T, ...IterItems<S>]> {
    const openers = this.#with(others, "zip");
    return this.#work((_, settings) => new ZipWork(openers, settings));
  }

  /**
   * Gives the latest items of all sources whenever one gives a new one, as soon as
   * all have given one.
   */
  combineLatest<S extends readonly IterSource<unknown>[]>(
    ...others: S
  ): AsyncIter<[T, ...IterItems<S>]> {
    const openers = this.#with(others, "combine");
    return this.#work((_, settings) => new LatestWork(openers, settings));
  }

  /** Reads ahead, up to `capacity` items, in a task of its own. */
  buffered(capacity: number): AsyncIter<T> {
    checkCount(capacity, "read ahead", "capacity", 0);
    return this.#work((open, settings) =>
      new BufferWork(open, capacity, settings)
    );
  }

  /**
   * Gives an item when `ms` milliseconds have passed without another: the last of
   * each burst. It reads as fast as the source gives.
   */
  debounce(ms: Duration): AsyncIter<T> {
    const length = toMs(ms, "debounce items");
    return this.#work((open, settings) =>
      new DebounceWork(open, length, settings)
    );
  }

  /**
   * Gives an item, and after `ms` milliseconds the latest that has come meanwhile.
   * It reads as fast as the source gives.
   */
  throttle(ms: Duration): AsyncIter<T> {
    const length = toMs(ms, "throttle items");
    return this.#work((open, settings) =>
      new ThrottleWork(open, length, settings)
    );
  }

  /**
   * Throws a `TimeoutError` if an item does not come within `ms` milliseconds. The
   * time in which the item before is used does not count.
   */
  timeoutEach(ms: Duration): AsyncIter<T> {
    const length = toMs(ms, "set a timeout");
    return this.#work((open, settings) =>
      new TimeoutWork(open, length, settings)
    );
  }

  /**
   * Goes over the source once, for all loops over what it gives: each gets the
   * items from its first one on. The slowest holds the others back.
   *
   * The source belongs to no loop: one that is cancelled is nothing to the others.
   * It is ended when the last loop is left.
   */
  share(options: IterShareOptions = {}): AsyncIter<T> {
    const { capacity = 16 } = options;
    checkCount(capacity, "share items", "capacity");
    const settings = this.#settings;
    const shared = new Shared(() => this.#pull(), capacity, settings);
    return this.#from(() => shared.branch());
  }

  /**
   * Goes over the source once, for `count` loops that get all items each. Each
   * must be gone over or left: the slowest holds the others back.
   */
  tee(count: number, options: IterShareOptions = {}): AsyncIter<T>[] {
    const { capacity = 16 } = options;
    checkCount(count, "split items", "count");
    checkCount(capacity, "split items", "capacity");
    const settings = this.#settings;
    const shared = new Shared(() => this.#pull(), capacity, settings);
    return Array.from({ length: count }, () => {
      const branch = shared.branch();
      return this.#from<T>(() => branch);
    });
  }

  /** Gives all items as an array. */
  async toArray(): Promise<T[]> {
    const items: T[] = [];
    await this.#drain(new SinkStage((item) => items.push(item as T)));
    return items;
  }

  /** Gives pairs as a map. */
  async toMap<K, V>(this: AsyncIter<readonly [K, V]>): Promise<Map<K, V>> {
    const map = new Map<K, V>();
    await this.forEach(([key, value]) => {
      map.set(key, value);
    });
    return map;
  }

  /** Folds all items into one; the first is where it starts. */
  reduce(
    fn: (sum: T, item: T, index: number) => T | PromiseLike<T>,
  ): Promise<T>;
  /** Folds all items into one, starting with `first`. */
  reduce<U>(
    fn: (sum: U, item: T, index: number) => U | PromiseLike<U>,
    first: U,
  ): Promise<U>;
  async reduce(fn: unknown, ...rest: [unknown?]): Promise<unknown> {
    checkFunction(fn, "reduce items");
    const stage = new FoldStage(fn as Fold, rest.length === 0 ? SKIP : rest[0]);
    await this.#drain(stage);
    if (stage.sum !== SKIP) return stage.sum;
    throw new TypeError(
      "Cannot reduce items as there must be one to start with: there is none",
    );
  }

  /** Calls `fn` with each item, and waits for it. */
  async forEach(
    fn: (item: T, index: number) => unknown,
    options: IterForEachOptions = {},
  ): Promise<void> {
    const { concurrency = 1 } = options;
    const mapped = this.map(fn, { concurrency, ordered: false });
    await mapped.#drain(new SinkStage());
  }

  /** Whether `fn` gives something true for an item; no more are taken then. */
  async some(fn: (item: T, index: number) => unknown): Promise<boolean> {
    checkFunction(fn, "look for an item");
    return (await this.#find(fn)).length > 0;
  }

  /** Whether `fn` gives something true for all items. */
  async every(fn: (item: T, index: number) => unknown): Promise<boolean> {
    checkFunction(fn, "look for an item");
    const misses = (item: T, index: number) => {
      const passes = fn(item, index);
      return isThenable(passes) ? passes.then((it) => !it) : !passes;
    };
    return (await this.#find(misses)).length === 0;
  }

  /** Gives the first item for which `fn` gives something true, if there is one. */
  async find(
    fn: (item: T, index: number) => unknown,
  ): Promise<T | undefined> {
    checkFunction(fn, "look for an item");
    return (await this.#find(fn))[0];
  }

  /** Gives the first item, if there is one. */
  async first(): Promise<T | undefined> {
    return (await this.#find(() => true))[0];
  }

  /** Gives the last item, if there is one. */
  async last(): Promise<T | undefined> {
    return await this.reduce<T | undefined>((_, item) => item, undefined);
  }

  /** How many items there are. */
  count(): Promise<number> {
    return this.reduce((sum) => sum + 1, 0);
  }

  /** A stream of the items: each is pulled when the reader asks for it. */
  toReadable(): ReadableStream<T> {
    return toReadable(this[Symbol.asyncIterator]());
  }

  /** Goes over all items, of which nothing comes out. */
  async #drain(stage: Stage): Promise<void> {
    const run = new Run(this.#pull(stage), this.#settings);
    await run.next();
  }

  /** The item that is found, or nothing. */
  async #find(fn: (item: T, index: number) => unknown): Promise<T[]> {
    const stage = new FindStage(fn as Mapper);
    const run = new Run<T>(this.#pull(stage), this.#settings);
    const { done, value } = await run.next();
    await run.return();
    return done ? [] : [value];
  }

  /** Begins to pull; what comes out has gone through `last` at the end. */
  #pull(last?: Stage): Fused {
    const stages = this.#stages.map((make) => make());
    if (last !== undefined) stages.push(last);
    return new Fused(this.#open, stages, this.#settings);
  }

  /** Begins to pull: from the source itself, if nothing is done to its items. */
  #bare(): Pull {
    if (this.#stages.length > 0) return this.#pull();
    const pull = this.#open();
    if (pull.interrupt === undefined) return pull;
    return new Fused(() => pull, [], this.#settings);
  }

  #then<U>(make: StageMaker): AsyncIter<U> {
    return new AsyncIter(this.#open, [...this.#stages, make], this.#settings);
  }

  #from<U>(open: Opener): AsyncIter<U> {
    return new AsyncIter(open, [], this.#settings);
  }

  #work<U>(
    make: (open: Opener, settings: PullSettings) => Work,
  ): AsyncIter<U> {
    const settings = this.#settings;
    const open = (): Pull => this.#bare();
    return this.#from(() => new CrewPull(make(open, settings), settings));
  }

  #with(others: readonly unknown[], doing: string): Opener[] {
    const openers = others.map((other) => openerOf(other, `${doing} sources`));
    return [() => this.#bare(), ...openers];
  }

  /** Lets other operators pull without a run of their own. */
  static {
    registerOpener((source) =>
      source instanceof AsyncIter ? () => source.#bare() : undefined
    );
  }
}

type Mapper = (item: unknown, index: number) => unknown;

/** Opens what a function gives for an item. */
function openGiven(
  fn: (item: never, index: number) => unknown,
  item: unknown,
  index: number,
): Pull | PromiseLike<Pull> {
  const given = fn(item as never, index);
  const open = (source: unknown): Pull => openerOf(source, "map items")();
  return isThenable(given) ? given.then(open) : open(given);
}
