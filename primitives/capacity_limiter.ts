/**
 * Capacity limiters: a number of tokens, each lent to somebody who is known.
 *
 * ```ts
 * import { CapacityLimiter } from "@ilmek/async/capacity-limiter";
 *
 * const limiter = new CapacityLimiter(10);
 * await limiter.run(() => {
 *   // At most ten are in here.
 * }, { borrower: {} });
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { checkCount, checkFunction, show } from "../_internal/check.ts";
import { Claim, ClaimList, type LineOwner } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { Permit, type PermitSource } from "../_internal/permit.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { labelOf } from "./_ownership.ts";
import { Task } from "./task.ts";

export type { Operation } from "../_internal/operation.ts";
export type { Permit } from "../_internal/permit.ts";

/** Options of {@linkcode CapacityLimiter}. */
export interface CapacityLimiterOptions {
  /** How reports and errors call the limiter. */
  name?: string;
}

/** Options of {@linkcode CapacityLimiter.tryAcquire} and its kin. */
export interface CapacityLimiterBorrowOptions {
  /**
   * On whose behalf a token is taken: any object or value. Without it, it is the
   * current task.
   */
  borrower?: unknown;
}

/** Options of {@linkcode CapacityLimiter.acquire} and {@linkcode CapacityLimiter.run}. */
export interface CapacityLimiterAcquireOptions
  extends CapacityLimiterBorrowOptions {
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** What a {@linkcode CapacityLimiter} tells about itself. */
export interface CapacityLimiterStatistics {
  /** How many tokens there are. */
  readonly total: number;
  /** How many of them are lent. */
  readonly borrowed: number;
  /** How many can be had now. */
  readonly available: number;
  /** How many callers wait. */
  readonly waiting: number;
  /** The most that were ever lent at once. */
  readonly peak: number;
  /** Who has a token: tasks, and what was given as `borrower`. */
  readonly borrowers: readonly unknown[];
}

/**
 * A number of tokens that can be changed, of which a borrower has one at most.
 *
 * Whoever waits is served in the order of the calls. Growing serves them at once;
 * shrinking takes nothing away: it takes effect as tokens come back.
 *
 * In place of a task, any object can be the borrower: a request, a connection. It
 * must be named outside of tasks.
 *
 * @example See who is inside
 * ```ts
 * import { CapacityLimiter } from "@ilmek/async/capacity-limiter";
 * import { assertEquals } from "@std/assert";
 *
 * const limiter = new CapacityLimiter(2);
 * using _permit = await limiter.acquire({ borrower: "request 7" });
 * limiter.total = 1;
 *
 * const { borrowers, available } = limiter.statistics();
 * assertEquals([borrowers, available], [["request 7"], 0]);
 * ```
 */
export class CapacityLimiter {
  readonly #tokens: Tokens;

  /**
   * Creates a limiter.
   *
   * @param total How many tokens there are; `Infinity` for no limit.
   * @param options Additional options.
   * @throws {RangeError} If `total` is not an integer >= 0.
   */
  constructor(total: number, options: CapacityLimiterOptions = {}) {
    const { name } = options;
    this.#tokens = new Tokens(
      labelOf("limiter", name),
      checkCount(total, "create a limiter", "total", 0),
    );
  }

  /** How many tokens there are. It may be set to any integer >= 0, or `Infinity`. */
  get total(): number {
    return this.#tokens.total;
  }

  set total(total: number) {
    this.#tokens.resize(checkCount(total, "resize a limiter", "total", 0));
  }

  /** How many tokens are lent. */
  get borrowed(): number {
    return this.#tokens.lent.size;
  }

  /** How many tokens can be had now. */
  get available(): number {
    return this.#tokens.available;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#tokens.line.size;
  }

  /**
   * Tells about the limiter, for insight.
   *
   * @returns A snapshot.
   */
  statistics(): CapacityLimiterStatistics {
    const { total, available, peak, lent } = this.#tokens;
    return {
      total,
      borrowed: lent.size,
      available,
      waiting: this.waiting,
      peak,
      borrowers: [...lent.keys()],
    };
  }

  /**
   * Waits for a token.
   *
   * @param options Additional options.
   * @returns The permit.
   * @throws {InvalidStateError} If the borrower has a token, or waits for one, or is
   * not known.
   * @throws {CancelledError} If the ambient scope is cancelled before.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  acquire(options: CapacityLimiterAcquireOptions = {}): Promise<Permit> {
    const { signal } = options;
    const frame = currentFrame();
    try {
      const borrower = borrowerOf(options);
      this.#tokens.check(borrower);
      const refused = refusal(frame, "acquire a token", signal);
      if (refused !== undefined) return refused;
      const permit = this.#tokens.tryLend(borrower, frame);
      if (permit !== undefined) {
        return frame.loop.pass(Promise.resolve(permit), frame);
      }
      const claim = new Claim<Permit>(frame, this.#tokens.label);
      this.#tokens.park(borrower, claim as Claim);
      linkSignal(claim as Claim, signal);
      return claim.wait();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes a token if there is one, and nobody waits for it.
   *
   * @param options Additional options.
   * @returns The permit, or `undefined`.
   * @throws {InvalidStateError} If the borrower has a token, or waits for one, or is
   * not known.
   */
  tryAcquire(options: CapacityLimiterBorrowOptions = {}): Permit | undefined {
    const borrower = borrowerOf(options);
    this.#tokens.check(borrower);
    return this.#tokens.tryLend(borrower, currentFrame());
  }

  /**
   * Taking a token, as a choice of `select`.
   *
   * @param options Additional options.
   * @returns The operation; it gives the permit.
   */
  acquireOp(options: CapacityLimiterBorrowOptions = {}): Operation<Permit> {
    return new Operation<Permit>({
      label: this.#tokens.label,
      attempt: (frame) => {
        const borrower = borrowerOf(options, frame);
        this.#tokens.check(borrower);
        const permit = this.#tokens.tryLend(borrower, frame);
        return permit === undefined ? undefined : { value: permit };
      },
      park: (claim) =>
        this.#tokens.park(borrowerOf(options, claim.frame), claim as Claim),
    });
  }

  /**
   * Gives the token of a borrower back.
   *
   * @param options Additional options.
   * @throws {InvalidStateError} If the borrower has none.
   */
  release(options: CapacityLimiterBorrowOptions = {}): void {
    this.#tokens.release(borrowerOf(options));
  }

  /**
   * Runs `fn` while holding a token.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run; it runs in the caller's scope and context.
   * @param options Additional options.
   * @returns What `fn` returns.
   * @throws {TypeError} If `fn` is not a function.
   * @throws What {@linkcode CapacityLimiter.acquire} throws.
   */
  async run<T>(
    fn: () => T | PromiseLike<T>,
    options: CapacityLimiterAcquireOptions = {},
  ): Promise<T> {
    checkFunction(fn, "run with a token");
    const permit = await this.acquire(options);
    try {
      return await fn();
    } finally {
      permit.release();
    }
  }
}

/** A token that is lent. */
interface Loan {
  readonly permit: Permit;
  readonly actor: Actor | undefined;
}

/** Who has a token, and who waits for one. */
class Tokens implements LineOwner, PermitSource {
  readonly label: string;
  /** Each claim carries its borrower. */
  readonly line: ClaimList = new ClaimList(this);
  readonly lent = new Map<unknown, Loan>();
  readonly #borrowers = new WeakMap<Permit, { readonly borrower: unknown }>();
  readonly #waiting = new Set<unknown>();
  total: number;
  peak = 0;

  constructor(label: string, total: number) {
    this.label = label;
    this.total = total;
  }

  get available(): number {
    return Math.max(0, this.total - this.lent.size);
  }

  *holders(): Generator<Actor> {
    for (const { actor } of this.lent.values()) {
      if (actor !== undefined) yield actor;
    }
  }

  get shared(): boolean {
    return this.lent.size > 1;
  }

  resize(total: number): void {
    this.total = total;
    this.#serve();
  }

  check(borrower: unknown): void {
    const does = this.lent.has(borrower)
      ? "has one already"
      : this.#waiting.has(borrower)
      ? "waits for one already"
      : undefined;
    if (does === undefined) return;
    throw new InvalidStateError(
      `Cannot acquire a token of ${this.label}: ${nameOf(borrower)} ${does}`,
    );
  }

  tryLend(borrower: unknown, frame: Frame): Permit | undefined {
    if (this.available === 0 || this.line.size > 0) return undefined;
    return this.#lend(borrower, frame);
  }

  park(borrower: unknown, claim: Claim): void {
    claim.value = borrower;
    this.#waiting.add(borrower);
    this.line.push(claim);
  }

  release(borrower: unknown): void {
    const loan = this.lent.get(borrower);
    if (loan === undefined) {
      throw new InvalidStateError(
        `Cannot release a token of ${this.label}: ${nameOf(borrower)} has none`,
      );
    }
    loan.permit.release();
  }

  takeBack(permit: Permit): void {
    const entry = this.#borrowers.get(permit);
    if (entry === undefined) return;
    this.lent.delete(entry.borrower);
    this.#serve();
  }

  /** Whoever has left the line does not wait any more. */
  withdrawn(claim: Claim): void {
    this.#waiting.delete(claim.value);
    this.#serve();
  }

  #lend(borrower: unknown, frame: Frame): Permit {
    const permit = new Permit(this);
    this.lent.set(borrower, { permit, actor: frame.actor });
    this.#borrowers.set(permit, { borrower });
    this.peak = Math.max(this.peak, this.lent.size);
    return permit;
  }

  #serve(): void {
    while (this.available > 0) {
      const claim = this.line.shift();
      if (claim === undefined) return;
      this.#waiting.delete(claim.value);
      claim.grant(this.#lend(claim.value, claim.frame));
    }
  }
}

function borrowerOf(
  options: CapacityLimiterBorrowOptions,
  frame: Frame = currentFrame(),
): unknown {
  const { borrower = taskOf(frame) } = options;
  if (borrower !== undefined) return borrower;
  throw new InvalidStateError(
    'Cannot lend a token outside of a task: "borrower" must say to whom',
  );
}

function taskOf({ actor }: Frame): Task<unknown> | undefined {
  return actor === undefined ? undefined : Task.of(actor);
}

function nameOf(borrower: unknown): string {
  return borrower instanceof Task
    ? `task ${JSON.stringify(borrower.name)}`
    : show(borrower);
}
