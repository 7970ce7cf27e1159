import { Claim, type Line } from "./claim.ts";
import { CancelledError } from "./errors.ts";
import type { EventLoop, Unobserved } from "./event_loop.ts";
import type { Frame } from "./frame.ts";
import type { Job, JobKind } from "./job.ts";
import { type Linked, LinkedList } from "./linked_list.ts";

/** Where an outcome stands. `cancelled` means: failed with a `CancelledError`. */
export type OutcomeState = "pending" | "done" | "failed" | "cancelled";

/** Called once an outcome is there. */
export class DoneCallback implements Linked<Waiter>, Job {
  prev: Waiter | undefined = undefined;
  next: Waiter | undefined = undefined;
  readonly loop: EventLoop;
  readonly #fn: () => void;

  constructor(loop: EventLoop, fn: () => void) {
    this.loop = loop;
    this.#fn = fn;
  }

  get kind(): JobKind {
    return "deferred";
  }

  get label(): string {
    return "a done callback";
  }

  run(): void {
    try {
      this.#fn();
    } catch (error) {
      this.loop.report({
        message: "A done callback has thrown",
        exception: error,
      });
    }
  }
}

const ignore = (): void => {};

type Waiter = Claim | DoneCallback;

/** What computes an outcome. */
export interface Producer {
  readonly label: string;
  /** Ends the work, for the outcome; it may take time. */
  cancelWith(error: CancelledError): boolean;
  /** What the work itself waits for, as far as it is known. */
  awaited?(): Iterable<Producer>;
  /** What its own code waits for, if it is a task. */
  waits?(): Iterable<Claim>;
}

/**
 * A value that will be there once, and who waits for it.
 *
 * Tasks and futures stand on it. Waiters and callbacks share one line, so that
 * they are served in the order in which they came.
 */
export class Outcome<T> implements Line {
  state: OutcomeState = "pending";
  readonly producer: Producer;
  #value: unknown = undefined;
  #observed = false;
  #unobserved: Unobserved | undefined = undefined;
  #waiters: LinkedList<Waiter> | undefined = undefined;
  /** How many claims stand in line that a cancellation has not struck. */
  #interested = 0;

  constructor(producer: Producer) {
    this.producer = producer;
  }

  get label(): string {
    return this.producer.label;
  }

  /** Somebody has looked at how it ended, or will. */
  get observed(): boolean {
    return this.#observed;
  }

  observe(): void {
    this.#observed = true;
    if (this.#unobserved !== undefined) this.#unobserved.seen = true;
  }

  /** Remembers who reports the failure, unless somebody looks at it before. */
  reportedBy(entry: Unobserved): void {
    this.#unobserved = entry;
  }

  get pending(): boolean {
    return this.state === "pending";
  }

  /** The value, or the error of a failed or cancelled outcome. */
  get value(): unknown {
    return this.#value;
  }

  cancel(error: CancelledError): boolean {
    return this.pending && this.producer.cancelWith(error);
  }

  resolve(value: T): boolean {
    return this.#settle("done", value);
  }

  reject(error: unknown): boolean {
    return this.#settle(
      error instanceof CancelledError ? "cancelled" : "failed",
      error,
    );
  }

  /**
   * Waits for the value.
   *
   * When the waiter is cancelled and nobody else waits, what computes the value
   * is cancelled, and its end is waited for. With `owns` that is so in any case.
   */
  join(frame: Frame, options: { owns?: boolean } = {}): Promise<T> {
    this.observe();
    if (this.state !== "pending") {
      return frame.loop.pass(this.#settled(), frame);
    }
    const claim = new Claim<T>(frame, this);
    this.park(claim as Claim);
    const line = options.owns ? new OwnedLine(this) : this;
    claim.line = line;
    const promise = claim.wait();
    const { struck } = frame.scope.live();
    if (struck !== undefined) line.strike(claim as Claim, struck);
    return promise;
  }

  /** Puts a claim in line, which counts as somebody who waits. */
  park(claim: Claim): void {
    claim.line = this;
    (this.#waiters ??= new LinkedList()).push(claim);
    this.#interested++;
  }

  /** What computes the value is what holds it back. */
  holders(): Iterable<Producer> {
    return [this.producer];
  }

  /**
   * Calls `fn` once the outcome is there; also if it is there already. It is called
   * in no particular context.
   */
  subscribe(loop: EventLoop, fn: () => void): DoneCallback {
    const callback = new DoneCallback(loop, fn);
    this.watch(callback);
    return callback;
  }

  /** Puts a callback in line that may be taken out again, and put elsewhere. */
  watch(callback: DoneCallback): void {
    if (this.pending) (this.#waiters ??= new LinkedList()).push(callback);
    else callback.loop.defer(callback);
  }

  /** Takes out what `watch` has put in, whether it was called or not. */
  unwatch(callback: DoneCallback): void {
    if (this.pending) this.#waiters?.remove(callback);
  }

  /** Takes back callbacks that have not been called yet. */
  unsubscribe(isMeant: (callback: DoneCallback) => boolean): number {
    let count = 0;
    for (let w = this.#waiters?.head; w !== undefined;) {
      const next: Waiter | undefined = w.next;
      if (w instanceof DoneCallback && isMeant(w)) {
        this.#waiters?.remove(w);
        count++;
      }
      w = next;
    }
    return count;
  }

  withdraw(claim: Claim): void {
    this.#waiters?.remove(claim);
    if (claim.value === undefined) this.#interested--;
  }

  strike(claim: Claim, error: CancelledError): void {
    if (claim.value !== undefined) this.strikeLast(claim, error);
    else if (this.#interested > 1) claim.cancel(error);
    else this.strikeLast(claim, error);
  }

  strikeLast(claim: Claim, error: CancelledError): void {
    // The claim stays in line for the end, and keeps what struck it: at last the
    // outermost scope.
    const again = claim.value !== undefined;
    claim.value = error;
    if (again) return;
    this.#interested--;
    const isNew = this.producer.cancelWith(error);
    // Tasks that wait for each other have no end that could be waited for.
    if (!isNew && waitsFor(this, claim.frame.actor)) claim.cancel(error);
  }

  #settled(): Promise<T> {
    if (this.state === "done") return Promise.resolve(this.#value as T);
    const rejected = Promise.reject(this.#value);
    rejected.catch(ignore);
    return rejected;
  }

  #settle(state: OutcomeState, value: unknown): boolean {
    if (this.state !== "pending") return false;
    this.state = state;
    this.#value = value;
    const waiters = this.#waiters;
    if (waiters === undefined) return true;
    for (
      let waiter = waiters.shift();
      waiter !== undefined;
      waiter = waiters.shift()
    ) {
      if (waiter instanceof DoneCallback) waiter.loop.defer(waiter);
      else this.#tell(waiter);
    }
    return true;
  }

  #tell(claim: Claim): void {
    const struckBy = claim.value;
    claim.line = undefined;
    if (this.state === "done") claim.grant(this.#value);
    else if (this.state === "failed") claim.fail(this.#value);
    else claim.cancel((struckBy ?? this.#value) as CancelledError);
  }
}

/** Whether what computes `outcome` waits, over whatever many tasks, for `actor`. */
function waitsFor(
  outcome: Outcome<never> | Outcome<unknown>,
  actor: Producer | undefined,
): boolean {
  const seen = new Set<Producer>();
  const open: Producer[] = [outcome.producer];
  for (let p = open.pop(); p !== undefined; p = open.pop()) {
    if (p === actor) return true;
    if (seen.has(p)) continue;
    seen.add(p);
    open.push(...p.awaited?.() ?? []);
  }
  return false;
}

/** The line of a waiter that owns the outcome: when it leaves, all ends. */
class OwnedLine implements Line {
  readonly #outcome: Outcome<never> | Outcome<unknown>;

  constructor(outcome: Outcome<never> | Outcome<unknown>) {
    this.#outcome = outcome;
  }

  withdraw(claim: Claim): void {
    this.#outcome.withdraw(claim);
  }

  strike(claim: Claim, error: CancelledError): void {
    this.#outcome.strikeLast(claim, error);
  }

  holders(): Iterable<Producer> {
    return this.#outcome.holders();
  }
}

type Reader = (value: object) => Outcome<unknown> | undefined;
const readers: Reader[] = [];

/** Tells {@linkcode outcomeOf} how to find the outcome of one more class. */
export function registerOutcome(reader: Reader): void {
  readers.push(reader);
}

/** The outcome behind a task or a future, or `undefined` for anything else. */
export function outcomeOf(value: unknown): Outcome<unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const reader of readers) {
    const outcome = reader(value);
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}
