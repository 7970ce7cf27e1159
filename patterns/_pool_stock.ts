import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { CreateGate } from "./_pool_create_gate.ts";
import { LEAST_KEEPALIVE, LEAST_LIFETIME, PoolEntry } from "./_pool_entry.ts";
import { PoolClosedError } from "./_pool_errors.ts";
import { type HookOutcome, HookRunner } from "./_pool_hooks.ts";
import type { PoolPlan } from "./_pool_options.ts";
import type { PoolStats } from "./_pool_stats.ts";

/** Who is told what becomes of entries. */
export interface StockOwner<T> {
  /** The resource of an entry can be used. */
  ready(entry: PoolEntry<T>, now: number): void;
  /** A place has come free, or a creation has failed. */
  changed(): void;
}

/** What exists in a pool: it is created, validated, reset and destroyed here. */
export class PoolStock<T> {
  /** Invariant: at most `plan.max`. */
  readonly entries: Set<PoolEntry<T>> = new Set();
  readonly gate: CreateGate;
  creating = 0;
  destroying = 0;
  /** How many entries will be ready by themselves: created, validated, reset. */
  coming = 0;
  closed = false;
  readonly #plan: PoolPlan<T>;
  readonly #loop: EventLoop;
  readonly #hooks: HookRunner;
  readonly #stats: PoolStats;
  readonly #owner: StockOwner<T>;

  constructor(
    frame: Frame,
    plan: PoolPlan<T>,
    stats: PoolStats,
    owner: StockOwner<T>,
  ) {
    this.#plan = plan;
    this.#loop = frame.loop;
    this.#hooks = new HookRunner(frame);
    this.#stats = stats;
    this.#owner = owner;
    this.gate = new CreateGate({
      concurrency: plan.createConcurrency,
      retries: plan.createRetries,
      backoffMs: plan.backoffMs,
      maxBackoffMs: plan.maxBackoffMs,
      random: plan.random,
    });
  }

  /** Begins to create a resource, if there is a place and it is time. */
  create(now: number): boolean {
    const { name, max, create, createTimeoutMs } = this.#plan;
    if (this.closed || this.entries.size >= max) return false;
    if (!this.gate.mayCreate(now, this.creating)) return false;
    const entry = new PoolEntry<T>();
    const { round } = this.gate;
    this.entries.add(entry);
    this.creating++;
    this.coming++;
    entry.giveUpHook = this.#hooks.run({
      name: `a creation in ${name}`,
      fn: create,
      limitMs: createTimeoutMs,
      onEnd: (outcome) => {
        this.creating--;
        this.coming--;
        if (outcome.isOk) this.#created(entry, outcome.value, now);
        else this.#notCreated(entry, outcome, round);
      },
      onLate: (outcome) => this.#createdLate(entry, outcome),
    });
    return true;
  }

  validate(entry: PoolEntry<T>): void {
    const { name, validate, validateTimeoutMs } = this.#plan;
    entry.state = "validating";
    this.coming++;
    this.#hooks.run<boolean>({
      name: `a validation in ${name}`,
      fn: () => validate?.(entry.resource as T) ?? true,
      limitMs: validateTimeoutMs,
      onEnd: (outcome) => {
        this.coming--;
        if (outcome.isOk && outcome.value) {
          entry.checkedAt = this.#loop.time();
          this.#ready(entry);
        } else {
          this.#stats.invalid++;
          this.destroy(entry);
        }
        this.#owner.changed();
      },
    });
  }

  reset(entry: PoolEntry<T>): void {
    const { name, reset, validateTimeoutMs } = this.#plan;
    entry.state = "resetting";
    this.coming++;
    this.#hooks.run<unknown>({
      name: `a reset in ${name}`,
      fn: () => reset?.(entry.resource as T),
      limitMs: validateTimeoutMs,
      onEnd: (outcome) => {
        this.coming--;
        if (outcome.isOk) this.#ready(entry);
        else this.destroy(entry);
        this.#owner.changed();
      },
    });
  }

  /** Its place is free when it is gone, or has taken too long. */
  destroy(entry: PoolEntry<T>): void {
    const { name, destroy, destroyTimeoutMs } = this.#plan;
    const isCounted = this.entries.has(entry);
    entry.state = "destroying";
    if (isCounted) this.destroying++;
    this.#hooks.run<unknown>({
      name: `a destruction in ${name}`,
      fn: () => destroy(entry.resource as T),
      limitMs: destroyTimeoutMs,
      isCleanup: true,
      onEnd: (outcome) => {
        if (isCounted) this.destroying--;
        this.#stats.destroyed++;
        if (!outcome.isOk) this.#report("destroy", outcome.error);
        this.#drop(entry);
      },
    });
  }

  /** Gives up what is being created; nothing is created any more. */
  close(): void {
    this.closed = true;
    for (const entry of [...this.entries]) {
      entry.giveUpHook?.(new PoolClosedError(this.#plan.name));
    }
  }

  #created(entry: PoolEntry<T>, resource: T, since: number): void {
    const { maxLifetimeMs, keepaliveMs, random } = this.#plan;
    const now = this.#loop.time();
    entry.resource = resource;
    entry.giveUpHook = undefined;
    entry.usedAt = now;
    entry.expiresAt = now + maxLifetimeMs * chance(LEAST_LIFETIME, random);
    entry.keepaliveMs = keepaliveMs * chance(LEAST_KEEPALIVE, random);
    this.#stats.created++;
    this.#stats.creation.add(now - since);
    this.gate.succeeded();
    this.#ready(entry);
    this.#owner.changed();
  }

  #notCreated(
    entry: PoolEntry<T>,
    outcome: HookOutcome<T> & { isOk: false },
    round: number,
  ): void {
    this.#stats.createFailures++;
    // The end of a pool tells nothing about what it is for.
    if (!this.closed) {
      this.gate.failed(round, outcome.error, this.#loop.time());
    }
    if (!outcome.isRunning) return this.#drop(entry);
    // It may exist already: its place is kept for as long as a destruction takes.
    entry.state = "destroying";
    this.destroying++;
    const { name, destroyTimeoutMs } = this.#plan;
    if (destroyTimeoutMs !== Infinity) {
      entry.lateTimer = this.#loop.timers.after(destroyTimeoutMs, {
        label: `a creation in ${name} that was given up`,
        expire: () => {
          this.destroying--;
          this.#drop(entry);
        },
      });
    }
    this.#owner.changed();
  }

  #createdLate(entry: PoolEntry<T>, outcome: HookOutcome<T>): void {
    entry.lateTimer?.cancel();
    if (this.entries.has(entry)) this.destroying--;
    if (!outcome.isOk) return this.#drop(entry);
    entry.resource = outcome.value;
    this.destroy(entry);
  }

  /** What has come back from a hook can be used, unless it is too late. */
  #ready(entry: PoolEntry<T>): void {
    const now = this.#loop.time();
    entry.aliveAt = now;
    if (this.closed || now >= entry.expiresAt) this.destroy(entry);
    else this.#owner.ready(entry, now);
  }

  #drop(entry: PoolEntry<T>): void {
    entry.state = "gone";
    entry.resource = undefined;
    this.entries.delete(entry);
    this.#owner.changed();
  }

  #report(doing: string, exception: unknown): void {
    this.#loop.report({
      message: `Cannot ${doing} a resource of the pool "${this.#plan.name}"`,
      exception,
    });
  }
}

/** A factor between `least` and 1. */
function chance(least: number, random: () => number): number {
  return 1 - (1 - least) * random();
}
