/**
 * A pool of threads for work that keeps a processor busy.
 *
 * A local installation of this package needs the permission `read` for its files,
 * and for the modules that are run.
 *
 * ```ts ignore
 * import { ThreadPool } from "@ilmek/async/thread-pool";
 *
 * await using pool = new ThreadPool();
 * const primes = pool.use<typeof import("./primes.ts")>(
 *   import.meta.resolve("./primes.ts"),
 * );
 * console.log(await primes.count(1_000_000));
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  checkMoment,
  toLimitMs,
  toMs,
} from "../_internal/check.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { PriorityLine } from "../_internal/priority_line.ts";
import { defaultRandom } from "../_internal/random.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal, listen } from "../_internal/signal.ts";
import type { Timer } from "../_internal/timer_queue.ts";
import { pipeline } from "../patterns/pipeline.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { PoolCall, type PoolCallPlan } from "./_pool_call.ts";
import { PoolCrew } from "./_pool_crew.ts";
import { PoolTargets } from "./_pool_targets.ts";
import type { PoolThread, ThreadEnd } from "./_pool_thread.ts";
import { thread as here } from "./_thread.ts";
import {
  type ThreadModule,
  ThreadPoolBrokenError,
  ThreadPoolFullError,
  type ThreadPoolMapOptions,
  type ThreadPoolOptions,
  type ThreadPoolRunOptions,
  type ThreadPoolStopOptions,
  ThreadPoolStoppedError,
  type ThreadPoolWaitOptions,
} from "./_thread_pool_types.ts";
import { moduleUrl } from "./_worker_target.ts";
import { WorkerCrashedError } from "./_worker_thread.ts";

export type { Duration } from "../_internal/check.ts";
export * from "./_thread_pool_types.ts";

/** A timer that means nothing any more when its loop was closed. */
interface Alarm {
  readonly timer: Timer;
  readonly loop: EventLoop;
}

/** How many threads a call may bring down before it is kept away from them. */
const MAX_CRASHES = 2;

const DONE: Promise<void> = Promise.resolve();

/**
 * A pool of threads, each of which does one call at a time.
 *
 * Threads are started when they are needed, and ended when they have nothing to do.
 * Arguments and results are copied, unless they are transferred; errors keep their
 * name, message, stack, cause and fields. A call runs on a loop of its own: what it
 * leaves behind is cancelled and waited for.
 *
 * A call that is cancelled before it has begun leaves the line; one that runs is
 * told, and is waited for. Nothing on the platform can end a thread that spins: let
 * long computations look at `isThreadCancelled` of `@ilmek/async/worker`. What has
 * not ended after `graceMs` is reported, given up, and counted as `stuck`. If a
 * thread crashes, that is told to the call that ran in it, and to no other.
 *
 * A pool that has threads keeps the process alive: leave it by `await using`, or
 * stop it. The end of a run ends the threads that were started in it.
 *
 * @example Keep the loop free of computations
 * ```ts
 * import { ThreadPool } from "@ilmek/async/thread-pool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPool({ maxThreads: 1 });
 * const sumTo = (limit: number) => {
 *   let sum = 0;
 *   for (let i = 1; i <= limit; i++) sum += i;
 *   return sum;
 * };
 * const sums = await Promise.all([
 *   pool.run(sumTo, [1000]),
 *   pool.run(sumTo, [2000], { priority: 1 }),
 * ]);
 *
 * assertEquals(sums, [500_500, 2_001_000]);
 * ```
 */
export class ThreadPool implements AsyncDisposable {
  readonly #name: string;
  readonly #capacity: number;
  readonly #maxBootFailures: number;
  readonly #bootBackoffMs: number;
  readonly #crew: PoolCrew;
  readonly #targets = new PoolTargets();
  readonly #line = new PriorityLine<PoolCall>();
  readonly #calls = new Set<PoolCall>();
  readonly #drainers = new ClaimList();
  readonly #joiners = new ClaimList();
  #state: "open" | "stopped" | "broken" = "open";
  #broken: ThreadPoolBrokenError | undefined;
  #bootFailures = 0;
  /** Set while the pool waits to start another thread. */
  #backoff: Alarm | undefined;
  /** Set while a thread with too many calls is watched. */
  #watch: Alarm | undefined;
  #completed = 0;
  #stuck = 0;

  /** Creates a pool; `minThreads` of its threads are started at once. */
  constructor(options: ThreadPoolOptions = {}) {
    const doing = "create a pool";
    const { name = "pool", capacity = 1024, random = defaultRandom } = options;
    const { minThreads = 0, maxThreads = usualThreads() } = options;
    const { maxTasks = Infinity, maxHeapBytes = Infinity } = options;
    const { maxBootFailures = 3, preload = [] } = options;
    this.#name = name;
    this.#capacity = checkCount(capacity, doing, "capacity", 0);
    this.#maxBootFailures = checkCount(
      maxBootFailures,
      doing,
      "maxBootFailures",
    );
    this.#bootBackoffMs = toMs(
      options.bootBackoffMs ?? 100,
      doing,
      "bootBackoffMs",
    );
    checkCount(minThreads, doing, "minThreads", 0);
    checkCount(maxThreads, doing, "maxThreads", Math.max(1, minThreads));
    checkFunction(random, doing, "random");
    this.#crew = new PoolCrew({
      name,
      maxThreads,
      minThreads,
      idleMs: toMs(options.idleMs ?? 30_000, doing, "idleMs"),
      heartbeatMs: toMs(options.heartbeatMs ?? 10_000, doing, "heartbeatMs"),
      maxTasks: checkCount(maxTasks, doing, "maxTasks"),
      maxAgeMs: toMs(options.maxAgeMs ?? Infinity, doing, "maxAgeMs"),
      maxHeapBytes: checkCount(maxHeapBytes, doing, "maxHeapBytes"),
      random,
    }, {
      preload: preload.map(moduleUrl),
      tellsHeap: maxHeapBytes !== Infinity,
      ready: (thread) => this.#onRoom(thread),
      roomy: (thread) => {
        this.#bootFailures = 0;
        this.#onRoom(thread);
      },
      gone: (thread, end) => this.#onGone(thread, end),
    });
    this.#grow(currentFrame().loop);
  }

  /** How reports call the pool. */
  get name(): string {
    return this.#name;
  }

  /** How many threads there are, with those that are being started. */
  get threads(): number {
    return this.#crew.size;
  }

  /** How many threads have nothing to do. */
  get idle(): number {
    return this.#crew.count((thread) => thread.idle);
  }

  /** How many threads there are at most. */
  get maxThreads(): number {
    return this.#crew.plan.maxThreads;
  }

  /** How many calls may wait for a thread. */
  get capacity(): number {
    return this.#capacity;
  }

  /** How many calls wait for a thread. */
  get queued(): number {
    return this.#line.size;
  }

  /** How many calls have not ended. */
  get unfinished(): number {
    return this.#calls.size;
  }

  /** How many calls have ended, in whatever way. */
  get completed(): number {
    return this.#completed;
  }

  /** How many threads were given up since their call did not end. */
  get stuck(): number {
    return this.#stuck;
  }

  /** Whether so many calls wait that another one may be refused: see `drain`. */
  get needsDrain(): boolean {
    return this.#line.size >= this.#capacity;
  }

  /** Whether the pool was stopped: it accepts no more calls. */
  get stopped(): boolean {
    return this.#state === "stopped";
  }

  /**
   * Calls a function in a thread, and gives what it returns.
   *
   * The function is one of `use()`, or stands for itself: then its source is sent,
   * and it sees its arguments and what is global, and nothing else of where it was
   * written. What it needs it can `import()`, by an absolute URL.
   *
   * @typeParam A The arguments of `fn`.
   * @typeParam R What `fn` returns.
   * @param fn The function.
   * @param args The arguments. They are copied when the call gets a thread.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws What `fn` throws.
   * @throws {ThreadPoolFullError} If too many calls wait.
   * @throws {ThreadPoolStoppedError} If the pool was stopped.
   * @throws {ThreadPoolBrokenError} If no thread can be started.
   * @throws {WorkerCrashedError} If the thread ended while the call ran.
   * @throws {TimeoutError} If the call took too long, in line or in its thread.
   * @throws {DOMException} If an argument or the result cannot be copied.
   */
  async run<A extends readonly unknown[], R>(
    fn: (...args: A) => R,
    args: NoInfer<Readonly<A>>,
    options: ThreadPoolRunOptions = {},
  ): Promise<Awaited<R>> {
    const { signal } = options;
    const plan = this.#planOf(fn, args, options);
    const frame = currentFrame();
    await refusal(frame, "run in a thread", signal);
    this.#mustAccept();
    const call = new PoolCall(frame, plan, this.#callOwner);
    this.#calls.add(call);
    // Nobody is overtaken: there is no line.
    const thread = this.#line.size === 0 ? this.#crew.choose(call) : undefined;
    if (thread?.idle) thread.send(call);
    else {
      this.#line.push(call);
      this.#dispatch(frame.loop);
    }
    const unlisten = signal === undefined
      ? undefined
      : listen(signal, (reason) => call.end(reason));
    try {
      return await call.outcome.join(frame, { owns: true }) as Awaited<R>;
    } finally {
      unlisten?.();
    }
  }

  /**
   * Calls a function for each item, and gives the results in the order of the
   * items.
   *
   * No more items are taken from the source than are under way. Leaving the loop
   * early, or an error, cancels the other calls and closes the source.
   *
   * @typeParam T The type of the items.
   * @typeParam R What `fn` returns.
   * @param source The items.
   * @param fn The function, as for `run`.
   * @param options Additional options.
   * @returns What `for await` can go over.
   *
   * @example Go over results in order
   * ```ts
   * import { ThreadPool } from "@ilmek/async/thread-pool";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new ThreadPool({ maxThreads: 1 });
   * const squares = pool.map([1, 2, 3], (n: number) => n * n);
   *
   * assertEquals(await Array.fromAsync(squares), [1, 4, 9]);
   * ```
   */
  map<T, R>(
    source: Iterable<T> | AsyncIterable<T>,
    fn: (item: T) => R,
    options: ThreadPoolMapOptions = {},
  ): AsyncIterable<Awaited<R>> {
    const { concurrency = 2 * this.maxThreads, ...how } = options;
    return pipeline(source).map(
      (item) => this.run<[T], R>(fn, [item], how),
      { concurrency },
    );
  }

  /**
   * The functions that a module exports, to be called in threads.
   *
   * @typeParam M The type of the module: `typeof import("./work.ts")`.
   * @param module The URL of the module: `import.meta.resolve("./work.ts")`.
   * @param options How all of its functions are called; `run` takes them with other
   * options.
   * @returns An object with the functions.
   * @throws {TypeError} If `module` is not a URL.
   *
   * @example Call the functions of a module
   * ```ts
   * import { ThreadPool } from "@ilmek/async/thread-pool";
   * import { assertEquals } from "@std/assert";
   *
   * type Work = { add(a: number, b: number): number };
   *
   * await using pool = new ThreadPool({ maxThreads: 1 });
   * const work = pool.use<Work>(
   *   "data:text/javascript,export const add = (a, b) => a + b",
   * );
   *
   * assertEquals(await work.add(40, 2), 42);
   * assertEquals(await pool.run(work.add, [1, 2], { priority: 1 }), 3);
   * ```
   */
  use<M>(
    module: string | URL,
    options: ThreadPoolRunOptions = {},
  ): ThreadModule<M> {
    return this.#targets.proxy(
      module,
      (fn, args) =>
        this.run(fn as (...args: unknown[]) => unknown, [...args], options),
    ) as ThreadModule<M>;
  }

  /**
   * Waits until at most half of the calls wait that may.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  drain(options: ThreadPoolWaitOptions = {}): Promise<void> {
    return this.#wait(this.#drainers, "room", options, () => this.#isDrained);
  }

  /**
   * Waits until every call has ended, in whatever way.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  join(options: ThreadPoolWaitOptions = {}): Promise<void> {
    return this.#wait(
      this.#joiners,
      "the last call",
      options,
      () => this.#calls.size === 0,
    );
  }

  /**
   * Stops the pool: from now on it accepts no calls, and it waits for those that it
   * has. Its threads end with them.
   *
   * Stopping twice waits twice; a limit that is shorter counts.
   *
   * @param options Additional options.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async stop(options: ThreadPoolStopOptions = {}): Promise<void> {
    const { timeoutMs = null } = options;
    const limitMs = toLimitMs(timeoutMs, "stop a pool", "timeoutMs");
    if (this.#state === "open") this.#state = "stopped";
    this.#closeIfDone();
    if (limitMs > 0) {
      const { timedOut } = await moveOnAfter(limitMs, () => this.join());
      if (!timedOut) return;
    }
    const { scope } = currentFrame();
    for (const call of [...this.#calls]) {
      call.end(cancellationOf(scope, "the pool was stopped"));
    }
    await this.join();
  }

  /** Cancels what has not ended, waits until it is gone, and ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    await uncancellable(() => this.stop({ timeoutMs: 0 }), {
      name: `the end of pool "${this.#name}"`,
      graceMs: Infinity,
    });
  }

  readonly #callOwner = {
    leaveLine: (call: PoolCall): void => {
      this.#line.remove(call);
      this.#offerRoom();
    },
    ended: (call: PoolCall): void => {
      this.#calls.delete(call);
      this.#completed++;
      this.#closeIfDone();
      if (this.#calls.size === 0) grantAll(this.#joiners);
    },
  };

  get #isDrained(): boolean {
    return this.#line.size * 2 <= this.#capacity &&
        this.#line.size < this.#capacity || this.#state !== "open";
  }

  #planOf(
    fn: unknown,
    args: readonly unknown[],
    options: ThreadPoolRunOptions,
  ): PoolCallPlan {
    const doing = "run in a thread";
    const { transfer = [], priority = 0, idempotent = false } = options;
    const { queueTimeoutMs = Infinity, taskTimeoutMs = Infinity } = options;
    return {
      target: this.#targets.of(fn),
      args,
      transfer,
      idempotent,
      priority: checkMoment(priority, doing, '"priority"'),
      queueTimeoutMs: toMs(queueTimeoutMs, doing, "queueTimeoutMs"),
      taskTimeoutMs: toMs(taskTimeoutMs, doing, "taskTimeoutMs"),
      graceMs: toMs(options.graceMs ?? 5000, doing, "graceMs"),
    };
  }

  #mustAccept(): void {
    const policy = this.#name;
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#state === "stopped") {
      throw new ThreadPoolStoppedError(
        `Cannot run in a thread: the pool "${policy}" was stopped`,
        { policy, retryAfterMs: Infinity },
      );
    }
    const isBusy = this.idle === 0 && this.threads >= this.maxThreads;
    if (!this.needsDrain || !isBusy && this.#line.size === 0) return;
    throw new ThreadPoolFullError(
      `Cannot run in a thread: ${this.#line.size} calls wait for the pool "${policy}" already`,
      { policy },
    );
  }

  /** Gives calls to threads, as far as there are any. */
  #dispatch(loop: EventLoop): void {
    for (let call = this.#line.head; call; call = this.#line.head) {
      const thread = this.#crew.choose(call);
      if (thread === undefined) break;
      this.#line.remove(call);
      thread.send(call);
    }
    this.#grow(loop);
    this.#balance(loop);
    this.#offerRoom();
  }

  /** Starts threads for those who wait, and the ones that are always there. */
  #grow(present: EventLoop): void {
    // The present loop may belong to a run that has ended.
    const loop = this.#line.head?.loop ?? present;
    if (isSet(this.#backoff) || loop.closed) return;
    if (this.#state === "broken") return;
    const { minThreads, maxThreads } = this.#crew.plan;
    const least = this.#state === "open" ? minThreads : 0;
    let waiting = this.#line.size;
    for (const thread of this.#crew.threads) {
      if (thread.state === "booting") waiting--;
      else waiting += thread.ahead;
    }
    const wanted = Math.min(maxThreads, this.#crew.size + waiting);
    while (this.#crew.size < Math.max(least, wanted)) this.#crew.start(loop);
  }

  /** Takes calls from a thread that has begun with a long one. */
  #balance(loop: EventLoop): void {
    if (this.#line.size > 0 || isSet(this.#watch)) return;
    // One thread has nobody to give calls to.
    if (this.#crew.size === 1) return;
    if (this.#crew.count((thread) => thread.idle) === 0) return;
    const overloaded = this.#crew.overloaded();
    if (overloaded === undefined) return;
    if (overloaded === "later") {
      const timer = loop.timers.after(this.#crew.stealMs, {
        label: "a look at busy threads",
        expire: () => {
          this.#watch = undefined;
          this.#dispatch(loop);
        },
      });
      this.#watch = { timer, loop };
      return;
    }
    for (const call of overloaded.takeBack()) this.#line.unshift(call);
    if (this.#line.size > 0) this.#dispatch(loop);
  }

  #offerRoom(): void {
    if (this.#drainers.size > 0 && this.#isDrained) grantAll(this.#drainers);
  }

  #onRoom(thread: PoolThread): void {
    this.#dispatch(thread.loop);
    this.#crew.rest(thread);
  }

  #onGone(thread: PoolThread, end: ThreadEnd): void {
    const { loop } = thread;
    const { kind, how, unbegun, victim, cause } = end;
    this.#crew.forget(thread);
    if (kind === "given-up") this.#stuck++;
    for (const call of unbegun.toReversed()) this.#again(call, thread, how);
    if (victim !== undefined) {
      victim.crashes++;
      const mayRetry = kind === "crashed" && victim.plan.idempotent &&
        victim.crashes < MAX_CRASHES;
      if (mayRetry) this.#again(victim, thread, how);
      else {
        const told = toldOf(victim, how);
        victim.fail(new WorkerCrashedError(thread.name, told));
      }
    }
    const isFailure = kind === "unready" ||
      kind === "crashed" && victim === undefined;
    if (isFailure) this.#bootFailed(loop, how, cause);
    this.#dispatch(loop);
  }

  /** Puts a call back in front of the line, if it can still be made. */
  #again(call: PoolCall, thread: PoolThread, how: string): void {
    const { transfer } = call.plan;
    const isOver = call.endedBy !== undefined || transfer.length > 0;
    if (isOver) return call.fail(new WorkerCrashedError(thread.name, how));
    call.takenBack();
    this.#line.unshift(call);
  }

  #bootFailed(present: EventLoop, how: string, cause: unknown): void {
    this.#bootFailures++;
    if (this.#bootFailures >= this.#maxBootFailures) {
      return this.#break(how, cause);
    }
    if (isSet(this.#backoff)) return;
    const loop = this.#line.head?.loop ?? present;
    const ms = this.#bootBackoffMs * 2 ** (this.#bootFailures - 1);
    const timer = loop.timers.after(ms, {
      label: "the start of another thread",
      expire: () => {
        this.#backoff = undefined;
        this.#dispatch(loop);
      },
    });
    this.#backoff = { timer, loop };
  }

  /** No thread can be started: all that waits for one fails. */
  #break(how: string, cause: unknown): void {
    this.#state = "broken";
    const error = this.#broken = new ThreadPoolBrokenError(
      `Cannot run in a thread: ${this.#bootFailures} threads of the pool "${this.#name}" have failed in a row: ${how}`,
      {
        policy: this.#name,
        retryAfterMs: Infinity,
        ...(cause === undefined ? {} : { cause }),
      },
    );
    for (let call = this.#line.shift(); call; call = this.#line.shift()) {
      call.fail(error);
    }
    this.#close();
    this.#offerRoom();
  }

  /** Nothing is to be done any more. */
  #close(): void {
    this.#backoff?.timer.cancel();
    this.#watch?.timer.cancel();
    this.#backoff = undefined;
    this.#watch = undefined;
    this.#crew.close();
  }

  #closeIfDone(): void {
    if (this.#state === "stopped" && this.#calls.size === 0) this.#close();
  }

  #wait(
    line: ClaimList,
    what: string,
    { signal }: ThreadPoolWaitOptions,
    isOver: () => boolean,
  ): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, "wait for a pool", signal);
    if (refused !== undefined) return refused;
    if (isOver()) return frame.loop.pass(DONE, frame);
    const claim = new Claim<void>(frame, {
      label: `${what} of pool "${this.#name}"`,
    });
    const release = frame.loop.hold(`${what} of pool "${this.#name}"`);
    line.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    const unlink = claim.cleanup;
    claim.cleanup = () => {
      unlink?.();
      release();
    };
    return claim.wait();
  }
}

/**
 * Says what of a result is handed over to the one who called, instead of copied.
 *
 * @typeParam T The type of the result.
 * @param value What the function in the thread returns: an object.
 * @param transfer What of it is handed over.
 * @returns The same value.
 *
 * @example Hand a buffer over
 * ```ts
 * import { withTransfer } from "@ilmek/async/thread-pool";
 * import { assertEquals } from "@std/assert";
 *
 * // To be returned by a function that runs in a thread.
 * const bytes = new Uint8Array([1, 2, 3]);
 * const result = withTransfer(bytes, [bytes.buffer]);
 *
 * assertEquals(result, bytes);
 * ```
 */
export function withTransfer<T extends object>(
  value: T,
  transfer: readonly Transferable[],
): T {
  here.transfers.set(value, transfer);
  return value;
}

function isSet(alarm: Alarm | undefined): boolean {
  return alarm !== undefined && !alarm.loop.closed;
}

function usualThreads(): number {
  return Math.max(1, navigator.hardwareConcurrency - 1);
}

function toldOf({ crashes }: PoolCall, how: string): string {
  return crashes < MAX_CRASHES ? how : `${how}, for the second time`;
}

function grantAll(claims: ClaimList): void {
  for (let claim = claims.shift(); claim; claim = claims.shift()) {
    claim.grant(undefined);
  }
}
