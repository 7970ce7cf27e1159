import { reportCircle } from "./deadlock.ts";
import type { CancelledError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { Job, JobKind } from "./job.ts";
import { type Linked, LinkedList } from "./linked_list.ts";
import type { ScopeNode } from "./scope_node.ts";

/** What a claim waits for: a few words, or the thing itself. */
export type WaitTarget = string | { readonly label: string };

/** Who has what others wait for. */
export interface Holder {
  readonly label: string;
  /** What its own code waits for, if it is a task. */
  waits?(): Iterable<Claim>;
}

/** Where a claim stands in line. It is told when the claim gives up. */
export interface Line {
  /** Takes the claim out, and grants whom it stood in the way of. */
  withdraw(claim: Claim): void;
  /** Decides what a cancellation of the waiter means; without it, it gives up. */
  strike?(claim: Claim, error: CancelledError): void;
  /** The tasks that have what the claims wait for, where that is known. */
  holders?(): Iterable<Holder>;
  /** Any of several holders can end the wait: none of them holds it up alone. */
  readonly shared?: boolean;
}

/** What became of a claim. `granted` and `failed` come from the line's owner. */
type ClaimState = "pending" | "granted" | "failed" | "cancelled";

let resolveNew: (value: unknown) => void;
/** One executor for all claims saves a closure for each of them. */
const capture = (resolve: (value: unknown) => void): void => {
  resolveNew = resolve;
};
const ignore = (): void => {};

/**
 * A parked caller: queued, then granted or cancelled, decided once.
 *
 * The claim itself is the node of the line in which it stands and of the list
 * that its scope keeps, so that waiting costs one object and one promise.
 */
export class Claim<T = unknown> implements Linked<Claim>, Job {
  prev: Claim | undefined = undefined;
  next: Claim | undefined = undefined;
  line: Line | undefined = undefined;
  /** Invariant: set as long as the claim is in the list of that scope. */
  scope: ScopeNode | undefined = undefined;
  scopePrev: Claim | undefined = undefined;
  scopeNext: Claim | undefined = undefined;
  readonly frame: Frame;
  readonly target: WaitTarget;
  /** What to hand over, to the waiter or from it. */
  value: unknown = undefined;
  /** Undoes what a wait set up besides its place in line. */
  cleanup: (() => void) | undefined = undefined;
  #state: ClaimState = "pending";
  #promise: Promise<T> | undefined = undefined;
  #resolve: ((value: unknown) => void) | undefined = undefined;

  constructor(frame: Frame, target: WaitTarget) {
    this.frame = frame;
    this.target = target;
  }

  get kind(): JobKind {
    return "wake";
  }

  get label(): string {
    const { target, frame } = this;
    const what = typeof target === "string" ? target : target.label;
    const who = frame.actor === undefined ? "the run" : frame.actor.label;
    return `${who} waits for ${what}`;
  }

  get pending(): boolean {
    return this.#state === "pending";
  }

  /** The claim that decides: this one, unless it is a branch of a `select`. */
  get waiter(): Claim {
    return this as Claim;
  }

  /** Parks the caller, who gets the promise. */
  wait(): Promise<T> {
    this.frame.scope.live().adopt(this);
    this.frame.loop.observer?.parked(this);
    this.#promise = new Promise<T>(capture as never);
    this.#resolve = resolveNew;
    if (this.frame.loop.debug) reportCircle(this as Claim);
    return this.#promise;
  }

  /** Hands over what was waited for. The owner has taken it out of the line. */
  grant(value: T): boolean {
    return this.#decide("granted", value) && this.#wake();
  }

  /** The claim's time has come: it gets the value that it was made with. */
  expire(): void {
    this.line = undefined;
    this.grant(this.value as T);
  }

  /** Ends the wait with an ordinary error. */
  fail(error: unknown): boolean {
    return this.#decide("failed", error) && this.#wake();
  }

  /** Ends the wait since its scope was cancelled, without any effect. */
  cancel(error: CancelledError): boolean {
    return this.#decide("cancelled", error) && this.#wake();
  }

  /** Ends a wait for a turn, which has come: there is no door left to pass. */
  endTurn(struck: CancelledError | undefined): void {
    const decided = struck === undefined
      ? this.#decide("granted", this.value)
      : this.#decide("cancelled", struck);
    if (decided) this.run();
  }

  /** Resumes the waiter: called by the loop, once it was decided. */
  run(): void {
    const resolve = this.#resolve;
    const promise = this.#promise;
    this.#resolve = undefined;
    this.#promise = undefined;
    if (resolve === undefined) return;
    if (this.#state === "granted") return resolve(this.value);
    // A wait that was started and dropped must not end the process when its
    // scope is cancelled later.
    if (this.#state === "cancelled") promise?.then(undefined, ignore);
    resolve(new Rejection(this.value));
  }

  #decide(state: ClaimState, value: unknown): boolean {
    if (this.#state !== "pending") return false;
    this.#state = state;
    const { line, cleanup } = this;
    if (line !== undefined) {
      this.line = undefined;
      line.withdraw(this);
    }
    // The line may look at what the claim carried up to now.
    this.value = value;
    this.scope?.disown(this);
    if (cleanup !== undefined) {
      this.cleanup = undefined;
      cleanup();
    }
    this.frame.loop.observer?.unparked(this);
    return true;
  }

  #wake(): true {
    this.frame.loop.wake(this);
    return true;
  }
}

/**
 * What a promise is resolved with, to be rejected.
 *
 * A claim keeps one resolving function instead of two. A promise that is rejected
 * here would be tracked as unhandled for a moment, which is slow.
 */
class Rejection {
  readonly #error: unknown;

  constructor(error: unknown) {
    this.#error = error;
  }

  then(_resolve: unknown, reject: (error: unknown) => void): void {
    reject(this.#error);
  }
}

/** Whom a line belongs to: what it is asked, and told. */
export interface LineOwner {
  /** See {@linkcode Line}. */
  holders?(): Iterable<Holder>;
  /** See {@linkcode Line}. */
  readonly shared?: boolean;
  /** A claim has given up: whom it stood in the way of may be granted now. */
  withdrawn?(claim: Claim): void;
}

const NOBODY: LineOwner = {};

/** A plain line of claims: the head is served first. */
export class ClaimList implements Line {
  readonly #claims = new LinkedList<Claim>();
  readonly #owner: LineOwner;

  constructor(owner: LineOwner = NOBODY) {
    this.#owner = owner;
  }

  get size(): number {
    return this.#claims.size;
  }

  /** The first that can still be granted. */
  get head(): Claim | undefined {
    this.#skip();
    return this.#claims.head;
  }

  push(claim: Claim): void {
    claim.line = this;
    this.#claims.push(claim);
  }

  /** Puts the claim in front of those at the end of the line that it may pass. */
  insert(claim: Claim, mayPass: (other: Claim) => boolean): void {
    let place = this.#claims.tail;
    while (place !== undefined && mayPass(place)) place = place.prev;
    claim.line = this;
    this.#claims.insertAfter(place, claim);
  }

  /** Takes out the head, to be granted. */
  shift(): Claim | undefined {
    this.#skip();
    const claim = this.#claims.shift();
    if (claim !== undefined) claim.line = undefined;
    return claim;
  }

  withdraw(claim: Claim): void {
    this.#claims.remove(claim);
    this.#owner.withdrawn?.(claim);
  }

  holders(): Iterable<Holder> {
    return this.#owner.holders?.() ?? [];
  }

  get shared(): boolean {
    return this.#owner.shared === true;
  }

  /** Passes over branches of a `select` that was decided, and is about to leave. */
  #skip(): void {
    for (let head = this.#claims.head; head !== undefined && !head.pending;) {
      head.line = undefined;
      this.#claims.remove(head);
      head = this.#claims.head;
    }
  }
}

/**
 * The line of a wait that no cancellation ends: what it waits for is cancelled
 * itself, or has its own reasons to end.
 */
export const UNTIL_GONE: Line = { withdraw: () => {}, strike: () => {} };
