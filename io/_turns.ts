import type { Actor } from "../_internal/actor.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { currentFrame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { DeadlockError } from "../primitives/errors.ts";

const DONE: Promise<void> = Promise.resolve();

/** One at a time, first come, first served. */
export class Turns {
  readonly #line = new ClaimList();
  readonly #what: string;
  #isTaken = false;
  /** The task whose turn it is, if it is kept over several steps of its own. */
  #holder: Actor | undefined;

  /** `what` is how errors call what is waited for. */
  constructor(what: string) {
    this.#what = what;
  }

  /**
   * Waits for a turn: for a step of our own, for several that the caller's code
   * makes, or for the last one.
   */
  async take(kind: "step" | "kept" | "last"): Promise<void> {
    const { actor } = currentFrame();
    const isNested = actor !== undefined && this.#holder === actor;
    if (isNested && kind !== "last") {
      throw new DeadlockError(
        `Cannot wait for ${this.#what}: "${actor.name}" is in a transaction of it, and must use what the transaction has given it`,
      );
    }
    await this.#wait();
    if (kind === "kept") this.#holder = actor;
  }

  give(): void {
    this.#holder = undefined;
    const next = this.#line.shift();
    if (next === undefined) this.#isTaken = false;
    else next.grant(undefined);
  }

  #wait(): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, `wait for ${this.#what}`);
    if (refused !== undefined) return refused;
    if (!this.#isTaken) {
      this.#isTaken = true;
      return frame.loop.pass(DONE, frame);
    }
    const claim = new Claim<void>(frame, this.#what);
    this.#line.push(claim as Claim);
    return claim.wait();
  }
}
