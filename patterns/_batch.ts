import type { Actor } from "../_internal/actor.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import { CancelledError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import { linkSignal } from "../_internal/signal.ts";
import { spawn } from "../_internal/spawn.ts";
import type { Timer } from "../_internal/timer_queue.ts";

/** One item of a batch, and those who wait for its result. */
export class BatchItem<I, O> implements Line {
  prev: BatchItem<I, O> | undefined = undefined;
  next: BatchItem<I, O> | undefined = undefined;
  readonly input: I;
  readonly key: unknown;
  readonly #batch: Batch<I, O>;
  readonly #claims = new LinkedList<Claim>();

  constructor(batch: Batch<I, O>, input: I, key: unknown) {
    this.#batch = batch;
    this.input = input;
    this.key = key;
  }

  join(frame: Frame, signal: AbortSignal | undefined): Promise<O> {
    const claim = new Claim<O>(frame, this.#batch);
    claim.line = this;
    this.#claims.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /** Somebody does not want the result any more. */
  withdraw(claim: Claim): void {
    this.#claims.remove(claim);
    if (this.#claims.size === 0) this.#batch.drop(this);
  }

  settle(tell: (claim: Claim) => void): void {
    for (let c = this.#claims.shift(); c; c = this.#claims.shift()) {
      c.line = undefined;
      tell(c);
    }
  }
}

/** Whom a batch tells what becomes of it. */
export interface BatchOwner<I, O> {
  /** Makes the results of some items. */
  call(items: readonly I[], batch: Batch<I, O>): Promise<readonly unknown[]>;
  readonly bisect: boolean;
  /** An item has left a batch that has not begun. */
  left(batch: Batch<I, O>): void;
  /** The batch has ended. */
  ended(batch: Batch<I, O>): void;
}

/** Items that are worked on as one. */
export class Batch<I, O> {
  readonly loop: EventLoop;
  readonly label: string;
  /** Those whose result somebody waits for. */
  readonly items: LinkedList<BatchItem<I, O>> = new LinkedList();
  timer: Timer | undefined = undefined;
  readonly #byKey = new Map<unknown, BatchItem<I, O>>();
  readonly #owner: BatchOwner<I, O>;
  #actor: Actor<void> | undefined = undefined;

  constructor(loop: EventLoop, label: string, owner: BatchOwner<I, O>) {
    this.loop = loop;
    this.label = label;
    this.#owner = owner;
  }

  /** Fires when nobody waits for the batch any more. */
  get signal(): AbortSignal {
    return this.#actor?.scope.signal ?? AbortSignal.abort();
  }

  /** The item with that key: the one that is there, or a new one. */
  add(input: I, key: unknown): BatchItem<I, O> {
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known !== undefined) return known;
    const item = new BatchItem<I, O>(this, input, key);
    if (key !== undefined) this.#byKey.set(key, item);
    this.items.push(item);
    return item;
  }

  drop(item: BatchItem<I, O>): void {
    this.items.remove(item);
    if (item.key !== undefined) this.#byKey.delete(item.key);
    const scope = this.#actor?.scope;
    if (scope === undefined) return this.#owner.left(this);
    if (this.items.size > 0) return;
    scope.cancel(cancellationOf(scope, undefined, { kind: "given-up" }));
  }

  /** Begins the work, below the root: no caller's deadline ends it for others. */
  run(): void {
    const items: BatchItem<I, O>[] = [];
    for (let i = this.items.head; i !== undefined; i = i.next) items.push(i);
    this.#actor = spawn<void>(this.loop.root, () => this.#work(items), {
      name: this.label,
      onEnd: (actor) => this.#end(actor as Actor<void>),
    });
  }

  async #work(all: readonly BatchItem<I, O>[]): Promise<void> {
    const items = all.filter((item) => this.#isWanted(item));
    if (items.length === 0) return;
    let results: readonly unknown[];
    try {
      const inputs = items.map(({ input }) => input);
      results = await this.#owner.call(inputs, this);
    } catch (error) {
      const isOver = this.#actor?.scope.struck !== undefined;
      if (!this.#owner.bisect || items.length === 1 || isOver) {
        for (const item of items) {
          this.#settle(item, (claim) => end(claim, error));
        }
        return;
      }
      // One of them is at fault: the others shall not fail with it.
      const middle = items.length >> 1;
      await this.#work(items.slice(0, middle));
      await this.#work(items.slice(middle));
      return;
    }
    for (const [index, item] of items.entries()) {
      const result = results[index];
      this.#settle(item, (claim) => {
        if (result instanceof Error) end(claim, result);
        else claim.grant(result);
      });
    }
  }

  #settle(item: BatchItem<I, O>, tell: (claim: Claim) => void): void {
    if (!this.#isWanted(item)) return;
    this.items.remove(item);
    item.settle(tell);
  }

  #isWanted(item: BatchItem<I, O>): boolean {
    return item.prev !== undefined || this.items.head === item;
  }

  #end({ outcome, scope }: Actor<void>): void {
    outcome.observe();
    // Cancelled from outside: by the end of the run.
    for (let item = this.items.shift(); item; item = this.items.shift()) {
      item.settle((claim) => end(claim, scope.struck ?? outcome.value));
    }
    this.#owner.ended(this);
  }
}

/** A result that nobody looks at must not end the process if it was cancelled. */
function end(claim: Claim, error: unknown): void {
  if (error instanceof CancelledError) claim.cancel(error);
  else claim.fail(error);
}
