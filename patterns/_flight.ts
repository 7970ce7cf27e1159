import type { Actor } from "../_internal/actor.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { Claim, type Line } from "../_internal/claim.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import { linkSignal } from "../_internal/signal.ts";
import { spawn } from "../_internal/spawn.ts";

/** What several callers get of one call. */
export interface Landing<T> {
  readonly value: T;
  /** How many callers got it. */
  readonly shared: number;
}

/**
 * One call for many callers.
 *
 * It runs in a scope below the root, so that no caller's deadline ends it for the
 * others. When the last caller has left it is cancelled, unless it is kept.
 */
export class Flight<T> implements Line {
  readonly label: string;
  readonly #actor: Actor<T>;
  readonly #claims = new LinkedList<Claim>();
  readonly #copy: ((value: T) => T) | undefined;
  readonly #onLeft: (flight: Flight<T>) => void;
  #isKept = false;

  constructor(
    frame: Frame,
    fn: (flight: Flight<T>) => T | PromiseLike<T>,
    options: {
      readonly label: string;
      readonly copy?: ((value: T) => T) | undefined;
      /** Called when nobody is to join any more, at the latest when it has ended. */
      readonly onLeft: (flight: Flight<T>) => void;
    },
  ) {
    const { label, copy, onLeft } = options;
    this.label = label;
    this.#copy = copy;
    this.#onLeft = onLeft;
    this.#actor = spawn<T>(frame.loop.root, () => fn(this), {
      name: label,
      onEnd: () => this.#land(),
    });
    this.#actor.scope.onStruck = () => onLeft(this);
  }

  get loop(): EventLoop {
    return this.#actor.loop;
  }

  /** Fires when the call is cancelled. */
  get signal(): AbortSignal {
    return this.#actor.scope.signal;
  }

  /** How many callers wait for it. */
  get waiting(): number {
    return this.#claims.size;
  }

  /** Whether the code of `frame` is what computes the value. */
  contains(frame: Frame): boolean {
    return frame.actor === this.#actor;
  }

  /** Goes on, even if nobody waits. */
  keep(): void {
    this.#isKept = true;
  }

  /** Looks at how it ends, whoever waits. */
  onEnd(fn: (outcome: Actor<T>["outcome"]) => void): void {
    const { outcome, loop } = this.#actor;
    outcome.observe();
    outcome.subscribe(loop, () => fn(outcome));
  }

  join(frame: Frame, signal: AbortSignal | undefined): Promise<Landing<T>> {
    const claim = new Claim<Landing<T>>(frame, this);
    claim.line = this;
    this.#claims.push(claim as Claim);
    linkSignal(claim as Claim, signal);
    return claim.wait();
  }

  /** A caller leaves. */
  withdraw(claim: Claim): void {
    this.#claims.remove(claim);
    if (this.#claims.size > 0 || this.#isKept) return;
    const { scope } = this.#actor;
    // Whoever comes from now on must not join a call that is about to end.
    this.#onLeft(this);
    scope.cancel(cancellationOf(scope, undefined, { kind: "given-up" }));
  }

  #land(): void {
    this.#onLeft(this);
    const { outcome } = this.#actor;
    const shared = this.#claims.size;
    if (shared > 0) outcome.observe();
    for (let c = this.#claims.shift(); c; c = this.#claims.shift()) {
      c.line = undefined;
      if (outcome.state !== "done") c.fail(outcome.value);
      else this.#hand(c, outcome.value as T, shared);
    }
  }

  #hand(claim: Claim, value: T, shared: number): void {
    if (this.#copy === undefined) {
      claim.grant({ value, shared });
      return;
    }
    let landing: Landing<T>;
    try {
      landing = { value: this.#copy(value), shared };
    } catch (error) {
      claim.fail(error);
      return;
    }
    claim.grant(landing);
  }
}
