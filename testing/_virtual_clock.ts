import process from "node:process";
import type { Actor } from "../_internal/actor.ts";
import { Claim, ClaimList } from "../_internal/claim.ts";
import { cancellationOf } from "../_internal/cancellation.ts";
import { describeWaits } from "../_internal/deadlock.ts";
import { DeadlockError } from "../_internal/errors.ts";
import type {
  Clock,
  EventLoop,
  Hold,
  Observer,
} from "../_internal/event_loop.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { afterRealTime, nextRealTurn } from "../_internal/system_clock.ts";
import type { QueueingDoor } from "./_doors.ts";

/** After how many steps I/O gets a chance, although the loop is busy. */
const STEPS_PER_TURN = 64;

/** What a virtual clock goes by; see `VirtualLoopOptions`. */
export interface VirtualClockOptions {
  readonly ioLimitMs: number;
  readonly promises: "outside" | "inside";
}

/**
 * Time that jumps to the next timer when all tasks are parked.
 *
 * Idle is known by counting: live tasks without a parked claim are busy, and the
 * count is believed after a full drain of all microtasks.
 */
export class VirtualClock implements Clock, Observer {
  readonly #ioLimitMs: number;
  readonly #promises: "outside" | "inside";
  readonly #door: QueueingDoor | undefined;
  #loop: EventLoop | undefined;
  #now = 0;
  #turnRequested = false;
  /** Timers that are due come between two turns: turns alone would starve them. */
  #timersNext = false;
  #stepping = false;
  /** How many pauses of those who never wait are under way. */
  #fences = 0;
  #steps = 0;
  /** Live tasks that are not parked. */
  readonly #busy = new Set<Actor>();
  #live = 0;
  /** Parked claims that are no task's: detached, or left by a task that ended. */
  #loose = 0;
  #holds: ReadonlySet<Hold> = new Set();
  /** Those who wait until nothing else goes on. */
  readonly #onlookers = new ClaimList();
  #failed = false;
  #unwatch: (() => void) | undefined;
  #onFailure: (error: Error) => void = () => {};

  constructor(door: QueueingDoor | undefined, options: VirtualClockOptions) {
    const { ioLimitMs, promises } = options;
    this.#ioLimitMs = ioLimitMs;
    this.#promises = promises;
    this.#door = door;
    if (door !== undefined) door.onPush = () => this.#kick();
  }

  attach(loop: EventLoop): void {
    this.#loop = loop;
    loop.observer = this;
    loop.door = this.#door;
  }

  /** Whether the run was ended since it could not go on. */
  get failed(): boolean {
    return this.#failed;
  }

  set onFailure(fn: (error: Error) => void) {
    this.#onFailure = fn;
  }

  now(): number {
    return this.#now;
  }

  requestTurn(): void {
    this.#turnRequested = true;
    this.#kick();
  }

  requestFence(fn: () => void): void {
    this.#fences++;
    drain(() => {
      this.#fences--;
      fn();
      this.#kick();
    });
  }

  /** Virtual time does not tell: now and then there is a turn in any case. */
  turnIsDue(): boolean {
    return true;
  }

  timersChanged(): void {
    this.#kick();
  }

  /** The watchdog keeps the process alive where virtual time cannot go on. */
  keepAlive(): () => void {
    return () => {};
  }

  /** A run in virtual time tells everything at its own end. */
  beforeExit(): () => void {
    return () => {};
  }

  /** Blocks the thread, as far as virtual time is concerned. */
  advance(ms: number): void {
    this.#now += ms;
    this.#kick();
    const loop = this.#loop;
    if (loop === undefined || !loop.debug || ms < loop.slowCallbackMs) return;
    const who = currentFrame().actor?.label ?? "a callback";
    loop.report({ message: `Held the loop for ${ms} ms: ${who}` });
  }

  started(actor: Actor): void {
    this.#live++;
    this.#busy.add(actor);
    this.#kick();
  }

  ended(actor: Actor): void {
    this.#live--;
    this.#loose += actor.parked;
    this.#busy.delete(actor);
    this.#kick();
  }

  parked(claim: Claim): void {
    const { actor } = claim.frame;
    if (actor === undefined || actor.state !== "running") {
      this.#loose++;
      return;
    }
    if (actor.parked++ > 0) return;
    this.#busy.delete(actor);
    if (this.#busy.size === 0) this.#kick();
  }

  unparked(claim: Claim): void {
    const { actor } = claim.frame;
    if (actor === undefined || actor.state !== "running") this.#loose--;
    else if (--actor.parked === 0) this.#busy.add(actor);
  }

  held(holds: ReadonlySet<Hold>): void {
    this.#holds = this.#promises === "outside"
      ? holds
      : new Set([...holds].filter(({ bare }) => !bare));
    if (this.#holds.size === 0) this.#kick();
  }

  /** Waits until all others are parked, before the time moves on. */
  allParked(frame: Frame): Promise<void> {
    const refused = refusal(frame, "wait until all are parked");
    if (refused !== undefined) return refused;
    const claim = new Claim<void>(frame, "all others to be parked");
    this.#onlookers.push(claim as Claim);
    const promise = claim.wait();
    this.#kick();
    return promise;
  }

  #kick(): void {
    if (this.#stepping) return;
    this.#stepping = true;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#again();
  }

  #again(): void {
    this.#steps++;
    const step = () => this.#step();
    if (this.#steps % STEPS_PER_TURN === 0) nextRealTurn(() => drain(step));
    else if (this.#door === undefined) drain(step);
    else this.#door.afterJob(step, drain);
  }

  #step(): void {
    const loop = this.#loop as EventLoop;
    if (this.#runReady(loop)) return this.#again();
    if (this.#fences > 0) return this.#again();
    // A task may await what detached work will give, which parks for itself.
    const seen = this.#busy.size === 0 || this.#loose > 0;
    if (seen && this.#onlookers.size > 0) {
      this.#onlookers.shift()?.grant(undefined);
      return this.#again();
    }
    if (!seen || this.#holds.size > 0) return this.#rest();
    const { next, busy } = loop.timers;
    if (busy > 0) {
      this.#now = Math.max(this.#now, next);
      loop.runTimers();
      return this.#again();
    }
    if (this.#busy.size > 0) return this.#rest();
    this.#stepping = false;
    if (this.#live > 0) this.#fail(this.#deadlock(loop));
  }

  /** Runs what is ready now; tells whether there was anything. */
  #runReady(loop: EventLoop): boolean {
    const due = loop.timers.next <= this.#now;
    if (this.#door !== undefined) {
      return this.#door.runNext(() => {
        if (loop.timers.next <= this.#now) loop.runTimers();
      });
    }
    if (this.#turnRequested && !(due && this.#timersNext)) {
      this.#turnRequested = false;
      this.#timersNext = true;
      loop.runTurn();
      return true;
    }
    this.#timersNext = false;
    if (due) loop.runTimers();
    return due;
  }

  /** Something that the loop cannot see is awaited: the clock stands. */
  #rest(): void {
    this.#stepping = false;
    // When no task is left, nobody waits for what is outside.
    if (this.#failed || this.#live === 0) return;
    this.#unwatch = afterRealTime(this.#ioLimitMs, () => {
      const holds = [...this.#holds].map(({ what }) => what);
      const tasks = [...this.#busy].map(({ label }) => label);
      const why = holds.length > 0
        ? `${holds.join(", ")} has not ended`
        : `${tasks.join(", ")} awaits something that the loop cannot see`;
      this.#fail(
        new DeadlockError(
          `Cannot go on: for ${this.#ioLimitMs} ms of real time ${why}`,
        ),
      );
    });
  }

  #deadlock(loop: EventLoop): DeadlockError {
    return new DeadlockError(
      `Cannot go on: a deadlock, or a source that was not registered; these wait\n${
        describeWaits(loop)
      }`,
    );
  }

  /** Ends the run: what is parked is cancelled, so that nothing is left behind. */
  #fail(error: Error): void {
    this.#failed = true;
    const { root } = this.#loop as EventLoop;
    root.cancelHard(cancellationOf(root, undefined, { cause: error }));
    nextRealTurn(() => drain(() => this.#onFailure(error)));
  }
}

/** Calls `fn` once no microtask is left. */
export function drain(fn: () => void): void {
  queueMicrotask(() => process.nextTick(fn));
}
