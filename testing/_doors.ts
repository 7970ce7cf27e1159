import type { Door, PassFrame } from "../_internal/event_loop.ts";
import type { Job } from "../_internal/job.ts";
import { Ring } from "../_internal/ring.ts";

type Drain = (fn: () => void) => void;

/** A door that queues jobs, and gives them out one at a time. */
export interface QueueingDoor extends Door {
  onPush: () => void;
  /** Runs one job; `collect` brings in the timers that are due. */
  runNext(collect: () => void): boolean;
  /** Calls `step` when it is time for the next job. */
  afterJob(step: () => void, drain: Drain): void;
}

/**
 * The order of asyncio: a turn runs the jobs that were ready when it began, and
 * after each job all microtasks come to rest.
 */
export class FifoDoor implements QueueingDoor {
  onPush: () => void = () => {};
  readonly #ready = new Ring<Job>();
  /** How many jobs of this turn are left. */
  #left = 0;

  push(job: Job): void {
    this.#ready.push(job);
    this.onPush();
  }

  pass<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  runNext(collect: () => void): boolean {
    if (this.#left === 0) {
      collect();
      this.#left = this.#ready.size;
    }
    const job = this.#ready.shift();
    if (job === undefined) return false;
    this.#left--;
    job.run();
    return true;
  }

  afterJob(step: () => void, drain: Drain): void {
    drain(step);
  }
}

/** How many widths there are between one job and the next: see `afterJob`. */
const WIDTHS = 8;

/**
 * An order that is drawn: who is next, and how far microtasks get in between.
 *
 * Wake-ups may come in any order. Starts and done callbacks keep theirs, and so do
 * callbacks and timers, since that is what the loop guarantees.
 */
export class ExploringDoor implements QueueingDoor {
  onPush: () => void = () => {};
  readonly #ready: Job[] = [];
  readonly #draw: (count: number) => number;
  /** What was run, in order. */
  readonly schedule: string[] = [];

  /** `draw(n)` gives an integer from 0 to n - 1. */
  constructor(draw: (count: number) => number) {
    this.#draw = draw;
  }

  push(job: Job): void {
    this.#ready.push(job);
    this.onPush();
  }

  pass<T>(promise: Promise<T>, frame: PassFrame): Promise<T> {
    if (this.#draw(2) === 0) return promise;
    return new Promise((resolve) => {
      const who = frame.actor === undefined ? "the run" : frame.actor.label;
      this.push({
        kind: "wake",
        label: `${who} goes on`,
        run: () => resolve(promise),
      });
    });
  }

  runNext(collect: () => void): boolean {
    collect();
    const eligible = this.#eligible();
    if (eligible.length === 0) return false;
    const index = eligible[this.#draw(eligible.length)] as number;
    const [job] = this.#ready.splice(index, 1) as [Job];
    this.schedule.push(job.label);
    job.run();
    return true;
  }

  /** The next job comes at once, after 1 to 6 microtasks, or after all of them. */
  afterJob(step: () => void, drain: Drain): void {
    const width = this.#draw(WIDTHS);
    if (width === WIDTHS - 1 || this.#ready.length === 0) drain(step);
    else hop(width, step);
  }

  #eligible(): number[] {
    const indices: number[] = [];
    const seen = new Set<string>();
    this.#ready.forEach((job, index) => {
      if (job.kind !== "wake" && seen.has(job.kind)) return;
      seen.add(job.kind);
      indices.push(index);
    });
    return indices;
  }
}

function hop(count: number, fn: () => void): void {
  if (count === 0) queueMicrotask(fn);
  else queueMicrotask(() => hop(count - 1, fn));
}
