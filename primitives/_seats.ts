import type { Actor } from "../_internal/actor.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";

/**
 * The slots of a group: how many members run at once.
 *
 * Members that were made while there was no slot wait for theirs, first come,
 * first served. One that is cancelled before ends without having begun.
 */
export class Seats {
  readonly limit: number;
  readonly #loop: EventLoop;
  readonly #held = new Set<Actor>();
  /** Members that end without ever having had a slot. */
  readonly #unbegun = new WeakSet<Actor>();
  /** Callers who would like to make a member. */
  readonly #callers = new ClaimList();
  #taken = 0;

  constructor(loop: EventLoop, limit: number) {
    this.#loop = loop;
    this.limit = limit;
  }

  get free(): boolean {
    return this.#taken < this.limit;
  }

  take(): void {
    this.#taken++;
  }

  /** Keeps a member until there is a slot for it. */
  hold(actor: Actor): void {
    const giveUp = (): void => {
      this.#unbegun.add(actor);
      this.#loop.defer(actor);
    };
    if (actor.scope.struck !== undefined) return giveUp();
    this.#held.add(actor);
    actor.scope.onStruck = () => {
      if (this.#held.delete(actor)) giveUp();
    };
  }

  /** A member has ended. */
  leave(actor: Actor): void {
    if (!this.#unbegun.delete(actor)) this.release();
  }

  /** Gives a slot to the next in line. */
  release(): void {
    this.#taken--;
    if (!this.free) return;
    for (const actor of this.#held) {
      this.#held.delete(actor);
      actor.scope.onStruck = undefined;
      this.take();
      this.#loop.defer(actor);
      return;
    }
    this.#offer();
  }

  /** Waits until there is a slot. */
  wait(frame: Frame, group: string): Promise<void> {
    if (this.free) return frame.loop.pass(Promise.resolve(), frame);
    const claim = new Claim<void>(frame, `a slot of group "${group}"`);
    this.#callers.push(claim as Claim);
    return claim.wait();
  }

  /**
   * Tells the next caller that there is a slot. Whoever is told need not use it: a
   * turn later the one behind is told, if there still is one.
   */
  #offer(): void {
    if (!this.free) return;
    this.#callers.shift()?.grant(undefined);
    if (this.#callers.size === 0) return;
    this.#loop.turn({
      kind: "turn",
      label: "a free slot",
      run: () => this.#offer(),
    });
  }
}
