import { Claim, UNTIL_GONE } from "./claim.ts";
import type { Frame } from "./frame.ts";
import type { EventLoop } from "./event_loop.ts";
import { ScopeNode, type ScopeNodeOptions } from "./scope_node.ts";

/**
 * A scope with children, that can be left when they are gone.
 *
 * Groups and races stand on it.
 */
export class Nursery {
  readonly loop: EventLoop;
  readonly node: ScopeNode;
  #live = 0;
  #leaving: Claim<void>[] = [];

  constructor(frame: Frame, options: ScopeNodeOptions) {
    this.loop = frame.loop;
    this.node = new ScopeNode(frame.loop, frame.scope, options);
  }

  /** How many children have not ended. */
  get live(): number {
    return this.#live;
  }

  entered(): void {
    this.#live++;
  }

  left(): void {
    this.#live--;
    if (this.#live > 0) return;
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const claim of leaving) claim.grant();
  }

  /** Waits until all children are gone, whatever is cancelled meanwhile. */
  async gone(frame: Frame): Promise<void> {
    while (this.#live > 0) {
      const claim = new Claim<void>(frame, {
        label: `${this.#live} members of ${JSON.stringify(this.node.title)}`,
      });
      claim.line = UNTIL_GONE;
      this.#leaving.push(claim);
      await claim.wait();
    }
  }
}
