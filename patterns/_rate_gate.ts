import { Claim } from "../_internal/claim.ts";
import type { Frame } from "../_internal/frame.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { linkSignal } from "../_internal/signal.ts";
import { callHook } from "./_call.ts";
import {
  RateLimitedError,
  type RateLimitedReason,
} from "./_rate_limited_error.ts";
import { type Meter, serveAll } from "./_rate_meter.ts";
import { isReached, wholeRemaining } from "./_rate_cost.ts";
import { Ticket, type TicketOwner } from "./_rate_ticket.ts";
import type { RateLimitResult } from "./rate_step.ts";
import type {
  RateLimiterHooks,
  RateLimiterOverflow,
} from "./_rate_limiter_types.ts";

/** How the line of a limiter is kept. */
export interface GateOptions {
  readonly name: string;
  readonly maxQueue: number;
  readonly overflow: RateLimiterOverflow;
  readonly agingMs: number;
  readonly maxWaitMs: number;
  readonly hooks: RateLimiterHooks;
}

/** How a request waits, checked. */
export interface GateRequest {
  readonly maxWaitMs: number;
  readonly priority: number;
  readonly tenant: unknown;
  readonly signal: AbortSignal | undefined;
}

const DONE: Promise<void> = Promise.resolve();

/** All that a limiter does: its meters, its line, and what it has counted. */
export class RateGate implements TicketOwner {
  readonly meters: readonly Meter[];
  readonly options: GateOptions;
  /** Who waits, in the order of the calls. */
  readonly #tickets = new Set<Ticket>();
  /** Those who asked what is left. */
  readonly #detailed = new WeakSet<Ticket>();
  /** From when on a tenant's next call counts. Empty if nobody waits. */
  readonly #turns = new Map<unknown, number>();
  /** The most that fits at once. */
  readonly burst: number;
  readonly #first: Meter;
  readonly #isSingle: boolean;
  closed = false;
  taken = 0;
  refused = 0;
  epoch = 0;

  constructor(meters: readonly [Meter, ...Meter[]], options: GateOptions) {
    this.meters = meters;
    this.options = options;
    this.#first = meters[0];
    this.#isSingle = meters.length === 1;
    this.burst = Math.min(...meters.map(({ algorithm }) => algorithm.burst));
  }

  get waiting(): number {
    return this.#tickets.size;
  }

  /** What its waiters wait for. */
  get label(): string {
    return `a turn of "${this.options.name}"`;
  }

  /** Takes what is known to be there, without a look at the clock. */
  takeBlindly(cost: number): boolean {
    if (!this.#isSingle || this.closed || !this.#first.spend(cost)) {
      return false;
    }
    this.taken++;
    return true;
  }

  /** Takes at once if there is no line, and enough is left. */
  takeNow(cost: number, now: number, loop: EventLoop): boolean {
    if (this.closed) return false;
    if (this.#isSingle) {
      const meter = this.#first;
      if (meter.line.size > 0) return false;
      if (!isReached(meter.readyAt(cost, now), now)) return false;
      meter.take(cost, now);
      // Who listens wants to know what is left.
      if (this.options.hooks.onTake === undefined) meter.lend(now);
    } else {
      for (const meter of this.meters) {
        if (meter.line.size > 0) return false;
        if (!isReached(meter.readyAt(cost, now), now)) return false;
      }
      for (const meter of this.meters) meter.take(cost, now);
    }
    this.taken++;
    if (this.options.hooks.onTake !== undefined) {
      this.#tellTake(cost, 0, now, loop);
    }
    return true;
  }

  /** Takes at once if nobody who waits is hurt by it. */
  tryTake(cost: number, loop: EventLoop): RateLimitResult {
    const now = loop.time();
    if (this.takeNow(cost, now, loop)) return this.#resultOf(true, 0, now);
    const ticket = this.#ticket(cost, 0, now, loop);
    if (!this.closed && this.meters.some(({ line }) => line.size > 0)) {
      ticket.enqueue();
      if (ticket.takenAt !== undefined) return this.#resultOf(true, 0, now);
      ticket.withdraw();
    }
    const waitMs = this.#forecastMs(ticket);
    // An error that nobody sees would make refusals slow.
    if (this.options.hooks.onReject === undefined) this.refused++;
    else this.#reject(ticket, this.closed ? "closed" : "wait-too-long", waitMs);
    return this.#resultOf(false, waitMs, now);
  }

  /** What a take would say now. */
  peek(cost: number, loop: EventLoop): RateLimitResult {
    const now = loop.time();
    const waitMs = this.#forecastMs(this.#ticket(cost, 0, now, loop));
    return this.#resultOf(waitMs === 0, waitMs, now);
  }

  /**
   * Waits for a turn, and tells what is left if that is wanted. What cannot come in
   * time is refused by a throw.
   */
  acquire(
    frame: Frame,
    cost: number,
    isDetailed: boolean,
    request: GateRequest,
  ): Promise<unknown> {
    const { loop } = frame;
    if (!isDetailed && this.takeBlindly(cost)) return loop.pass(DONE, frame);
    const now = loop.time();
    if (this.takeNow(cost, now, loop)) {
      return this.#pass(frame, isDetailed, now);
    }
    const ticket = this.#newcomer(cost, request, loop, now);
    const waitMs = this.#checkWait(ticket, request, frame);
    if (this.#enter(ticket, request, waitMs)) {
      return this.#pass(frame, isDetailed, now);
    }
    if (isDetailed) this.#detailed.add(ticket);
    const claim = new Claim(frame, this.label);
    this.#seat(ticket, claim, request);
    linkSignal(claim, request.signal);
    const promise = claim.wait();
    this.#tellWait(ticket, waitMs);
    return promise;
  }

  /** Takes if that needs no wait; throws if a wait would be in vain. */
  attempt(frame: Frame, cost: number, request: GateRequest): boolean {
    if (this.takeBlindly(cost)) return true;
    const { loop } = frame;
    const now = loop.time();
    if (this.takeNow(cost, now, loop)) return true;
    const ticket = this.#newcomer(cost, request, loop, now);
    this.#checkWait(ticket, request, frame);
    return false;
  }

  /** Lets a claim wait for a turn that is not for the asking. */
  park(claim: Claim, cost: number, request: GateRequest): void {
    // Another choice of the same `select` was done while it was put in line.
    if (!claim.pending) return;
    const { frame } = claim;
    const ticket = this.#newcomer(cost, request, frame.loop, frame.loop.time());
    try {
      const waitMs = this.#checkWait(ticket, request, frame);
      if (this.#enter(ticket, request, waitMs)) {
        claim.grant(undefined);
        return;
      }
      this.#seat(ticket, claim, request);
      this.#tellWait(ticket, waitMs);
    } catch (error) {
      claim.fail(error);
    }
  }

  /** What has changed may let somebody through. */
  serve(): void {
    serveAll(this.meters);
  }

  freeze(until: number, loop: EventLoop): void {
    const now = loop.time();
    let isNew = false;
    for (const meter of this.meters) isNew = meter.freeze(until, now) || isNew;
    if (!isNew) return;
    this.serve();
    const ms = until - now;
    callHook(loop, this.options.name, this.options.hooks.onFreeze, { ms });
  }

  close(): void {
    this.closed = true;
    for (const ticket of [...this.#tickets]) {
      this.#reject(ticket, "closed", Infinity);
    }
  }

  left(ticket: Ticket): void {
    this.#tickets.delete(ticket);
    if (this.#tickets.size === 0) this.#turns.clear();
  }

  valueFor(ticket: Ticket): unknown {
    if (!this.#detailed.has(ticket)) return undefined;
    return this.#resultOf(true, 0, ticket.loop.time());
  }

  admitted(ticket: Ticket): void {
    const { cost, enqueuedAt, takenAt = enqueuedAt, loop } = ticket;
    this.taken++;
    this.#tellTake(cost, takenAt - enqueuedAt, takenAt, loop);
  }

  expired(ticket: Ticket): void {
    const now = ticket.loop.time();
    this.#reject(ticket, "wait-too-long", ticket.readyAt(now) - now);
  }

  #pass(frame: Frame, isDetailed: boolean, now: number): Promise<unknown> {
    const { loop } = frame;
    if (!isDetailed) return loop.pass(DONE, frame);
    return loop.pass(Promise.resolve(this.#resultOf(true, 0, now)), frame);
  }

  /**
   * Its place in line: the moment at which it came, earlier for a higher priority.
   * Since all grow older alike, the order never changes while they wait.
   */
  #ticket(cost: number, lead: number, now: number, loop: EventLoop): Ticket {
    const facts = { owner: this, loop, cost, key: now + lead, enqueuedAt: now };
    return new Ticket(facts, this.meters);
  }

  /** From when on a tenant's next call counts: none can fill the line at once. */
  #turnOf(tenant: unknown, now: number): number {
    if (tenant === undefined) return now;
    return Math.max(now, this.#turns.get(tenant) ?? 0);
  }

  /** A line that never gets empty must not keep the turns that have come. */
  #forgetTurns(now: number): void {
    if (this.#turns.size <= 2 * this.#tickets.size) return;
    for (const [tenant, turn] of this.#turns) {
      if (turn <= now) this.#turns.delete(tenant);
    }
  }

  /** For how long `cost` is all that the limit allows. */
  #share(cost: number): number {
    const { limit, perMs } = this.#first.algorithm;
    return cost * perMs / limit;
  }

  /** Refuses at once who would have to wait too long. */
  #checkWait(
    ticket: Ticket,
    { maxWaitMs }: GateRequest,
    frame: Frame,
  ): number | undefined {
    if (this.closed) throw this.#reject(ticket, "closed", Infinity);
    const deadline = frame.scope.live().effectiveDeadline;
    const isFree = maxWaitMs === Infinity && deadline === Infinity;
    if (isFree && this.options.hooks.onWait === undefined) return undefined;
    const waitMs = this.#forecastMs(ticket);
    if (!isReached(waitMs, maxWaitMs)) {
      throw this.#reject(ticket, "wait-too-long", waitMs);
    }
    if (!isReached(ticket.enqueuedAt + waitMs, deadline)) {
      throw this.#reject(ticket, "deadline", waitMs);
    }
    return waitMs;
  }

  /** Sees that the line is not too long: drops one, or refuses the newcomer. */
  #makeRoom(newcomer: Ticket, waitMs: number | undefined): void {
    if (this.#tickets.size < this.options.maxQueue) return;
    const dropped = this.#dropInsteadOf(newcomer);
    if (dropped === undefined) {
      newcomer.withdraw();
      const ms = waitMs ?? this.#forecastMs(newcomer);
      throw this.#reject(newcomer, "queue-full", ms);
    }
    const now = newcomer.enqueuedAt;
    this.#reject(dropped, "dropped", dropped.readyAt(now) - now);
  }

  #dropInsteadOf(newcomer: Ticket): Ticket | undefined {
    const { overflow } = this.options;
    const [oldest, ...others] = this.#tickets;
    if (overflow === "reject" || oldest === undefined) return undefined;
    if (overflow === "drop-oldest") return oldest;
    let lowest = oldest;
    for (const ticket of others) if (ticket.key >= lowest.key) lowest = ticket;
    return lowest.key > newcomer.key ? lowest : undefined;
  }

  /** Who comes now. */
  #newcomer(
    cost: number,
    { priority, tenant }: GateRequest,
    loop: EventLoop,
    now: number,
  ): Ticket {
    const from = this.#turnOf(tenant, now);
    const key = from - priority * this.options.agingMs;
    return this.#ticket(cost, key - now, now, loop);
  }

  /** Puts a ticket in line: `true` if its turn has come by that. */
  #enter(
    ticket: Ticket,
    { tenant }: GateRequest,
    waitMs: number | undefined,
  ): boolean {
    ticket.enqueue();
    if (ticket.takenAt === undefined) this.#makeRoom(ticket, waitMs);
    // Whoever was dropped for it may have stood in its way.
    if (ticket.takenAt !== undefined) return true;
    const { cost, enqueuedAt: now } = ticket;
    this.#tickets.add(ticket);
    if (tenant !== undefined) {
      this.#turns.set(tenant, this.#turnOf(tenant, now) + this.#share(cost));
      this.#forgetTurns(now);
    }
    return false;
  }

  /** Says who waits for a ticket, and for how long at most. */
  #seat(ticket: Ticket, claim: Claim, { maxWaitMs }: GateRequest): void {
    ticket.claim = claim;
    claim.line = ticket;
    ticket.endAt(ticket.enqueuedAt + maxWaitMs);
  }

  #tellWait(ticket: Ticket, waitMs = 0): void {
    const { name, hooks } = this.options;
    if (hooks.onWait === undefined) return;
    callHook(ticket.loop, name, hooks.onWait, { cost: ticket.cost, waitMs });
  }

  /** How long until its turn, if all ahead go as soon as they can. */
  #forecastMs(ticket: Ticket): number {
    if (this.closed) return Infinity;
    const now = ticket.enqueuedAt;
    let at = now;
    for (const meter of this.meters) {
      at = Math.max(at, meter.forecast(ticket, now));
    }
    return isReached(at, now) ? 0 : at - now;
  }

  /** Refuses a ticket, whether it waits already or not. */
  #reject(
    ticket: Ticket,
    reason: RateLimitedReason,
    waitMs: number,
  ): RateLimitedError {
    this.refused++;
    const { loop, claim } = ticket;
    const { name: policy, hooks } = this.options;
    const { remaining, limit, retryAfterMs } = this.#resultOf(
      false,
      waitMs,
      loop.time(),
    );
    const error = new RateLimitedError({
      policy,
      reason,
      retryAfterMs,
      remaining,
      limit,
    });
    claim?.fail(error);
    callHook(loop, policy, hooks.onReject, error);
    return error;
  }

  #tellTake(
    cost: number,
    waitedMs: number,
    now: number,
    loop: EventLoop,
  ): void {
    const { onTake } = this.options.hooks;
    if (onTake === undefined) return;
    const { remaining } = this.#resultOf(true, 0, now);
    callHook(loop, this.options.name, onTake, { cost, waitedMs, remaining });
  }

  /** Of several limits the one of which least is left is told. */
  #resultOf(ok: boolean, waitMs: number, now: number): RateLimitResult {
    let tightest = this.#first;
    let resetAt = tightest.resetAt(now);
    if (!this.#isSingle) {
      for (const meter of this.meters) {
        resetAt = Math.max(resetAt, meter.resetAt(now));
        if (meter.remaining(now) < tightest.remaining(now)) tightest = meter;
      }
    }
    const { limit, perMs } = tightest.algorithm;
    return {
      ok,
      remaining: wholeRemaining(tightest.remaining(now)),
      limit,
      perMs,
      // A refusal that said "again at once" would make a hot loop.
      retryAfterMs: ok ? 0 : Math.max(waitMs, 1),
      resetAfterMs: Math.max(0, resetAt - now),
    };
  }
}
