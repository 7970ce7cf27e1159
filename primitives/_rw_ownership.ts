import type { Actor } from "../_internal/actor.ts";
import { checkFunction, isThenable } from "../_internal/check.ts";
import { Claim, ClaimList, type LineOwner } from "../_internal/claim.ts";
import { DeadlockError, InvalidStateError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { Operation } from "../_internal/operation.ts";
import { Permit, type PermitSource } from "../_internal/permit.ts";
import { refusal } from "../_internal/refuse.ts";
import { linkSignal } from "../_internal/signal.ts";
import { BrokenLockError } from "./_ownership.ts";
import { Vigil } from "./_vigil.ts";

type Kind = "read" | "write";

const DONE: Promise<void> = Promise.resolve();

/** Who holds a lock, and who waits for it. */
export class RwOwnership implements LineOwner {
  readonly label: string;
  /** Each claim carries its kind. */
  readonly line: ClaimList = new ClaimList(this);
  /** Invariant: many readers, or a single writer. */
  readonly holds: Set<Hold> = new Set();
  writer: Hold | undefined = undefined;

  constructor(label: string) {
    this.label = label;
  }

  *holders(): Generator<Actor> {
    for (const { actor } of this.holds) if (actor !== undefined) yield actor;
  }

  acquire(kind: Kind, signal: AbortSignal | undefined): Promise<Permit> {
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a lock", signal);
    if (refused !== undefined) return refused;
    const permit = this.tryTake(kind, frame);
    return permit === undefined
      ? this.#wait(kind, frame, signal)
      : frame.loop.pass(Promise.resolve(permit), frame);
  }

  async run<T>(
    kind: Kind,
    fn: () => T | PromiseLike<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    checkFunction(fn, "run under a lock");
    const frame = currentFrame();
    const refused = refusal(frame, "acquire a lock", signal);
    if (refused !== undefined) return refused;
    let permit = this.tryTake(kind, frame);
    if (permit === undefined) permit = await this.#wait(kind, frame, signal);
    else await frame.loop.pass(DONE, frame);
    try {
      const result = fn();
      return isThenable(result) ? await result : result;
    } finally {
      permit.release();
    }
  }

  acquireOp(kind: Kind): Operation<Permit> {
    return new Operation<Permit>({
      label: this.#labelFor(kind),
      attempt: (frame) => {
        const permit = this.tryTake(kind, frame);
        if (permit !== undefined) return { value: permit };
        const fault = this.#brokenFault();
        if (fault !== undefined) throw fault;
        return undefined;
      },
      park: (claim) => this.#park(kind, claim as Claim),
    });
  }

  tryTake(kind: Kind, frame: Frame): Permit | undefined {
    if (this.line.size > 0 || !this.#admits(kind)) return undefined;
    return this.#take(kind, frame).permit;
  }

  downgrade(permit: Permit): Permit {
    const { writer } = this;
    if (writer === undefined || writer.permit !== permit) {
      throw new InvalidStateError(
        `Cannot downgrade ${this.label}: the permit is no valid one to write`,
      );
    }
    this.writer = undefined;
    const reading = writer.renew();
    this.#serve();
    return reading;
  }

  tryUpgrade(permit: Permit): Permit | undefined {
    const hold = [...this.holds].find((hold) => hold.permit === permit);
    if (hold === undefined || hold === this.writer) {
      throw new InvalidStateError(
        `Cannot upgrade ${this.label}: the permit is no valid one to read`,
      );
    }
    if (this.holds.size > 1) return undefined;
    this.writer = hold;
    return hold.renew();
  }

  leave(hold: Hold): void {
    this.holds.delete(hold);
    if (this.writer === hold) this.writer = undefined;
    this.#serve();
  }

  /** Whoever stood in the way of others has left. */
  withdrawn(): void {
    this.#serve();
  }

  /** Ends all waits, if one that holds the lock has gone without releasing it. */
  failBroken(): void {
    if (this.#brokenFault() === undefined) return;
    for (let c = this.line.shift(); c !== undefined; c = this.line.shift()) {
      c.fail(this.#brokenFault());
    }
  }

  #wait(
    kind: Kind,
    frame: Frame,
    signal: AbortSignal | undefined,
  ): Promise<Permit> {
    const fault = this.#brokenFault() ?? this.#selfFault(frame, signal);
    if (fault !== undefined) return Promise.reject(fault);
    const claim = new Claim<Permit>(frame, this.#labelFor(kind));
    this.#park(kind, claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  #park(kind: Kind, claim: Claim): void {
    claim.value = kind;
    this.line.push(claim);
    if (this.line.size > 1) return;
    for (const hold of this.holds) hold.watch();
  }

  #admits(kind: Kind): boolean {
    return kind === "write" ? this.holds.size === 0 : this.writer === undefined;
  }

  #take(kind: Kind, frame: Frame): Hold {
    const hold = new Hold(this, frame);
    this.holds.add(hold);
    if (kind === "write") this.writer = hold;
    return hold;
  }

  #serve(): void {
    for (
      let head = this.line.head;
      head !== undefined && this.#admits(head.value as Kind);
      head = this.line.head
    ) {
      this.line.shift();
      const hold = this.#take(head.value as Kind, head.frame);
      if (this.line.size > 0) hold.watch();
      head.grant(hold.permit);
    }
  }

  #labelFor(kind: Kind): string {
    return `${this.label} to ${kind}`;
  }

  #brokenFault(): BrokenLockError | undefined {
    for (const { actor } of this.holds) {
      if (actor?.state !== "ended") continue;
      return new BrokenLockError(this.label, actor.name);
    }
    return undefined;
  }

  /** The rule of `Lock`: a task's own code, with nothing to end the wait. */
  #selfFault(
    frame: Frame,
    signal: AbortSignal | undefined,
  ): DeadlockError | undefined {
    if (frame !== frame.actor || signal !== undefined) return undefined;
    if (frame.scope.live().effectiveDeadline < Infinity) return undefined;
    for (const hold of this.holds) {
      if (hold.frame !== frame) continue;
      return new DeadlockError(
        `Cannot acquire ${this.label}: ${frame.actor.label} holds it already`,
      );
    }
    return undefined;
  }
}

/** One that holds a lock. */
class Hold implements PermitSource {
  permit: Permit;
  readonly frame: Frame;
  readonly actor: Actor | undefined;
  readonly #core: RwOwnership;
  #vigil: Vigil | undefined = undefined;

  constructor(core: RwOwnership, frame: Frame) {
    const { actor } = frame;
    this.#core = core;
    this.frame = frame;
    // What a task has left running when it ended has no owner.
    this.actor = actor?.state === "ended" ? undefined : actor;
    this.permit = new Permit(this);
  }

  /** A permit for another kind, in place of the one before. */
  renew(): Permit {
    Permit.revoke(this.permit);
    return this.permit = new Permit(this);
  }

  takeBack(): void {
    this.#vigil?.stop();
    this.#core.leave(this);
  }

  /** Looks out for the end of the task, for the sake of those who wait. */
  watch(): void {
    if (this.actor === undefined) return;
    this.#vigil ??= new Vigil(() => this.#core.failBroken());
    this.#vigil.watch(this.actor);
  }
}
