import type { Actor } from "../_internal/actor.ts";
import { checkFunction, isThenable } from "../_internal/check.ts";
import {
  Claim,
  ClaimList,
  type Line,
  type LineOwner,
} from "../_internal/claim.ts";
import { DeadlockError, InvalidStateError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { Permit, type PermitSource } from "../_internal/permit.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { Vigil } from "./_vigil.ts";

/** Thrown when a lock can never be had, since the task that holds it has ended. */
export class BrokenLockError extends InvalidStateError {
  static {
    this.prototype.name = "BrokenLockError";
  }
  /** The name of the task that held the lock when it ended. */
  readonly owner: string;

  /** Creates the error of a lock, as messages call it, and its last owner. */
  constructor(lock: string, owner: string) {
    super(
      `Cannot acquire ${lock}: task ${
        JSON.stringify(owner)
      } has ended without releasing it`,
    );
    this.owner = owner;
  }
}

/** What is special about a thing that one holds at a time. */
export interface OwnershipOptions {
  /** Nobody owns it: whoever has the permit may do with it what they want. */
  readonly unowned?: boolean;
  /** Told when nobody holds it any more, and nobody waits. */
  readonly onIdle?: () => void;
  /** Where permits go back to, if not straight to here. */
  readonly source?: PermitSource;
}

const DONE: Promise<void> = Promise.resolve();
const NO_OPTIONS: OwnershipOptions = {};

/** Who holds what one holds at a time, and who waits for it. */
export class Ownership implements PermitSource, LineOwner {
  /** How messages and reports call it. */
  readonly label: string;
  readonly line: ClaimList = new ClaimList(this);
  /** Invariant: as long as somebody waits, it is held. */
  permit: Permit | undefined = undefined;
  /** Where it was acquired, if that was in a task. */
  #holder: Frame | undefined = undefined;
  readonly #unowned: boolean;
  readonly #onIdle: (() => void) | undefined;
  readonly #source: PermitSource;
  #regaining: Line | undefined = undefined;
  /** Set up as soon as somebody waits. */
  #vigil: Vigil | undefined = undefined;

  constructor(label: string, options: OwnershipOptions = NO_OPTIONS) {
    this.label = label;
    this.#unowned = options.unowned === true;
    this.#onIdle = options.onIdle;
    this.#source = options.source ?? this;
  }

  get owner(): Actor | undefined {
    return this.#holder?.actor;
  }

  /** Those in the way of whoever waits. */
  holders(): Iterable<Actor> {
    const { owner } = this;
    return owner === undefined ? [] : [owner];
  }

  acquire(signal: AbortSignal | undefined): Promise<Permit> {
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a lock", signal);
    if (refused !== undefined) return refused;
    if (this.permit === undefined) {
      return frame.loop.pass(Promise.resolve(this.#take(frame)), frame);
    }
    return this.#wait(frame, signal);
  }

  /** Calls `fn` while it is held. */
  async run<T>(
    fn: () => T | PromiseLike<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    checkFunction(fn, "run under a lock");
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a lock", signal);
    if (refused !== undefined) return refused;
    let permit = this.tryAcquire(frame);
    if (permit === undefined) permit = await this.#wait(frame, signal);
    else await frame.loop.pass(DONE, frame);
    try {
      const result = fn();
      return isThenable(result) ? await result : result;
    } finally {
      permit.release();
    }
  }

  tryAcquire(frame: Frame): Permit | undefined {
    return this.permit === undefined ? this.#take(frame) : undefined;
  }

  acquireOp(): Operation<Permit> {
    return new Operation<Permit>({
      label: this.label,
      attempt: (frame) => {
        const permit = this.tryAcquire(frame);
        if (permit !== undefined) return { value: permit };
        const fault = this.#brokenFault();
        if (fault !== undefined) throw fault;
        return undefined;
      },
      park: (claim) => this.park(claim as Claim),
    });
  }

  /**
   * Puts a claim in line. If it carries a permit, it is that one which is valid
   * again when its turn comes.
   */
  park(claim: Claim): void {
    this.line.push(claim);
    this.#watch();
  }

  /**
   * Lets a claim have it again, with the permit that it carries. Nothing but that
   * ends the wait.
   */
  regain(claim: Claim): void {
    if (this.permit === undefined) {
      this.permit = this.#permitOf(claim);
      this.#hold(claim.frame);
      claim.line = undefined;
      claim.grant(this.permit);
    } else {
      this.park(claim);
      claim.line = this.#regaining ??= new Regaining(this);
    }
  }

  /** The permit, if the caller holds it; else throws. */
  own(doing: string): Permit {
    const { permit, owner } = this;
    if (permit === undefined) {
      throw new InvalidStateError(
        `Cannot ${doing} ${this.label}: nobody holds it`,
      );
    }
    if (owner === undefined || owner === currentFrame().actor) return permit;
    throw new InvalidStateError(
      `Cannot ${doing} ${this.label}: ${owner.label} holds it`,
    );
  }

  takeBack(permit: Permit): void {
    if (this.permit === permit) this.passOn();
  }

  /** Hands it to the head of the line, if there is one. */
  passOn(): void {
    const next = this.line.shift();
    if (next === undefined) {
      this.permit = undefined;
      this.#holder = undefined;
      this.#vigil?.stop();
      this.#onIdle?.();
      return;
    }
    const permit = this.permit = this.#permitOf(next);
    this.#hold(next.frame);
    if (this.line.size > 0) this.#watch();
    else this.#vigil?.stop();
    next.grant(permit);
  }

  #wait(frame: Frame, signal: AbortSignal | undefined): Promise<Permit> {
    const fault = this.#brokenFault() ?? this.#selfFault(frame, signal);
    if (fault !== undefined) return Promise.reject(fault);
    const claim = new Claim<Permit>(frame, this.label);
    this.park(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  #take(frame: Frame): Permit {
    this.#hold(frame);
    return this.permit = new Permit(this.#source);
  }

  /** A new permit, or the one that the claim has brought. */
  #permitOf({ value }: Claim): Permit {
    if (value === undefined) return new Permit(this.#source);
    const permit = value as Permit;
    Permit.revive(permit, this.#source);
    return permit;
  }

  #hold(frame: Frame): void {
    const { actor } = frame;
    // What a task has left running when it ended has no owner.
    const owned = actor !== undefined && !this.#unowned &&
      actor.state !== "ended";
    this.#holder = owned ? frame : undefined;
  }

  #brokenFault(): BrokenLockError | undefined {
    const { owner } = this;
    if (owner === undefined || owner.state !== "ended") return undefined;
    return new BrokenLockError(this.label, owner.name);
  }

  /**
   * Whether a task waits for itself, and nothing would end that. In a scope of its
   * own it may well be other code of the same task that holds the lock.
   */
  #selfFault(
    frame: Frame,
    signal: AbortSignal | undefined,
  ): DeadlockError | undefined {
    if (frame !== this.#holder || frame !== frame.actor) return undefined;
    if (signal !== undefined) return undefined;
    if (frame.scope.live().effectiveDeadline < Infinity) return undefined;
    return new DeadlockError(
      `Cannot acquire ${this.label}: ${frame.actor.label} holds it already`,
    );
  }

  #watch(): void {
    this.#vigil ??= new Vigil(() => this.#failBroken());
    this.#vigil.watch(this.owner);
  }

  /** Ends all waits, if the owner has gone in the meantime. */
  #failBroken(): void {
    if (this.#brokenFault() === undefined) return;
    for (let c = this.line.shift(); c !== undefined; c = this.line.shift()) {
      c.fail(this.#brokenFault());
    }
  }
}

/** The line of those whom no cancellation ends before they have it again. */
class Regaining implements Line {
  readonly #core: Ownership;

  constructor(core: Ownership) {
    this.#core = core;
  }

  withdraw(claim: Claim): void {
    this.#core.line.withdraw(claim);
  }

  strike(): void {}

  holders(): Iterable<Actor> {
    return this.#core.holders();
  }
}

/** How messages and reports call a thing of that kind. */
export function labelOf(kind: string, name: string | undefined): string {
  return name === undefined ? `a ${kind}` : `${kind} ${JSON.stringify(name)}`;
}
