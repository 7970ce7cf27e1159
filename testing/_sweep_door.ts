import type { Actor } from "../_internal/actor.ts";
import { Claim } from "../_internal/claim.ts";
import { CancelledError } from "../_internal/errors.ts";
import type { Observer, PassFrame } from "../_internal/event_loop.ts";
import { rootFrame, runIn } from "../_internal/frame.ts";
import type { Job } from "../_internal/job.ts";
import type { ScopeNode } from "../_internal/scope_node.ts";
import { FifoDoor, type QueueingDoor } from "./_doors.ts";

/** What a task was about to do when it is cancelled; see `CancelPoint`. */
export type CancelPointKind =
  | "created"
  | "parked"
  | "waiting"
  | "woken"
  | "passed";

/** A point at which a sweep cancels. */
export interface Point {
  readonly index: number;
  readonly kind: CancelPointKind;
  readonly task: string;
  readonly label: string;
}

/** Which tasks a sweep cancels: those that were told, or all but this one. */
export type Swept = Set<Actor> | { readonly allBut: Actor | undefined };

/**
 * The order of asyncio, and one cancellation in it.
 *
 * It counts the points where a swept task gives way. At the chosen one the task is
 * cancelled in a step of its own, before anything else goes on:
 *
 *     release() -> grant, point "woken" | the task is cancelled | the waiter resumes
 */
export class SweepDoor implements QueueingDoor {
  /** All points, in order; only if none of them was chosen. */
  readonly points: Point[] = [];
  swept: Swept = new Set();
  /** The one cancellation of this run. */
  cancellation: CancelledError | undefined;
  readonly #inner = new FifoDoor();
  readonly #chosen: number | undefined;
  #count = 0;
  /** How many jobs have run. */
  #steps = 0;
  /** At which step each swept task had its last point. */
  readonly #reached = new Map<Actor, number>();
  readonly #parked = new Set<Claim>();
  /** Who is to be cancelled in the next step. */
  #victim: Actor | undefined;

  /** Without a chosen point it only counts. */
  constructor(chosen: number | undefined) {
    this.#chosen = chosen;
  }

  get onPush(): () => void {
    return this.#inner.onPush;
  }

  set onPush(fn: () => void) {
    this.#inner.onPush = fn;
  }

  /** The observer that passes everything on, and sees who parks. */
  watch(inner: Observer): Observer {
    return {
      parked: (claim) => {
        inner.parked(claim);
        const { actor } = claim.frame;
        this.#parked.add(claim);
        this.#reach("parked", actor, () => claim.label);
      },
      unparked: (claim) => {
        inner.unparked(claim);
        this.#parked.delete(claim);
      },
      started: (actor) => inner.started(actor),
      ended: (actor) => inner.ended(actor),
      held: (holds) => inner.held(holds),
    };
  }

  /** Says that a task was created that is to be swept. */
  created(actor: Actor): void {
    if (this.swept instanceof Set) this.swept.add(actor);
    this.#reach("created", actor, () => `${actor.label} has not begun`);
  }

  push(job: Job): void {
    this.#inner.push(job);
    if (job instanceof Claim) {
      this.#reach("woken", job.frame.actor, () => job.label);
    }
  }

  pass<T>(promise: Promise<T>, { actor }: PassFrame): Promise<T> {
    const label = () => `${actor?.label} has what it asked for`;
    if (!this.#reach("passed", actor, label)) return promise;
    return new Promise((resolve) => {
      this.push({
        kind: "wake",
        label: label(),
        run: () => resolve(promise),
      });
    });
  }

  runNext(collect: () => void): boolean {
    this.#passWaiting();
    const victim = this.#victim;
    if (victim === undefined) {
      const hasRun = this.#inner.runNext(collect);
      if (hasRun) this.#steps++;
      return hasRun;
    }
    this.#victim = undefined;
    const { loop, scope } = victim;
    const error = new CancelledError("a cancel sweep", {
      scope: scope.title,
      at: loop.time(),
    });
    this.cancellation = error;
    runIn(rootFrame(loop), () => scope.cancel(error));
    return true;
  }

  afterJob(step: () => void, drain: (fn: () => void) => void): void {
    this.#inner.afterJob(step, drain);
  }

  /** A point for each task that waits while others have gone on. */
  #passWaiting(): void {
    for (const claim of this.#parked) {
      const { actor } = claim.frame;
      const victim = this.#victimOf(actor);
      if (victim === undefined) continue;
      if (this.#reached.get(victim) === this.#steps) continue;
      this.#reach("waiting", actor, () => claim.label);
    }
  }

  /** Counts a point; tells whether it is the chosen one. */
  #reach(
    kind: CancelPointKind,
    actor: Actor | undefined,
    label: () => string,
  ): boolean {
    const victim = this.#victimOf(actor);
    if (victim === undefined) return false;
    this.#reached.set(victim, this.#steps);
    const index = this.#count++;
    if (this.#chosen === undefined) {
      this.points.push({ index, kind, task: victim.name, label: label() });
      return false;
    }
    if (index !== this.#chosen) return false;
    this.#victim = victim;
    this.onPush();
    return true;
  }

  /** The swept task to which `actor` belongs. */
  #victimOf(actor: Actor | undefined): Actor | undefined {
    const { swept } = this;
    if (actor === undefined) return undefined;
    if (!(swept instanceof Set)) {
      return actor === swept.allBut || actor.state === "ended"
        ? undefined
        : actor;
    }
    for (
      let scope: ScopeNode | undefined = actor.scope;
      scope !== undefined;
      scope = scope.parent
    ) {
      const { owner } = scope;
      if (owner !== undefined && owner.state !== "ended" && swept.has(owner)) {
        return owner;
      }
    }
    return undefined;
  }
}
