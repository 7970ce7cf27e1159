import type { Door, PassFrame } from "../_internal/event_loop.ts";
import type { Job } from "../_internal/job.ts";
import { Ring } from "../_internal/ring.ts";
import type { Draw } from "./_choices.ts";

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
 * An order that is chosen: who is next, and how far microtasks get in between.
 *
 * Wake-ups may come in any order. Starts and done callbacks keep theirs, and so do
 * callbacks and timers, since that is what the loop guarantees. Where every choice
 * is 0 the order is plain: who came first goes first, and all that a job sets going
 * comes to rest before the next one.
 */
export class ExploringDoor implements QueueingDoor {
  onPush: () => void = () => {};
  readonly #ready: Job[] = [];
  readonly #draw: Draw;
  /** What was run, in order. */
  readonly schedule: string[] = [];
  /** Which steps of the schedule do not stand where they would in a plain order. */
  readonly switched: Set<number> = new Set();

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  push(job: Job): void {
    this.#ready.push(job);
    this.onPush();
  }

  pass<T>(promise: Promise<T>, frame: PassFrame): Promise<T> {
    if (this.#draw(2, "pass") === 0) return promise;
    return new Promise((resolve) => {
      const who = frame.actor === undefined ? "the run" : frame.actor.label;
      const delayed: Job = {
        kind: "wake",
        label: `${who} goes on`,
        run: () => {
          this.#noteSwitch();
          resolve(promise);
        },
      };
      this.push(delayed);
    });
  }

  runNext(collect: () => void): boolean {
    collect();
    const eligible = this.#eligible();
    if (eligible.length === 0) return false;
    const choice = this.#draw(eligible.length, "next");
    const [job] = this.#ready.splice(eligible[choice] as number, 1) as [Job];
    this.schedule.push(job.label);
    if (choice > 0) this.#noteSwitch();
    job.run();
    return true;
  }

  /** The next job comes after all microtasks, at once, or after 1 to 6 of them. */
  afterJob(step: () => void, drain: Drain): void {
    if (this.#ready.length === 0) return drain(step);
    const width = this.#draw(WIDTHS, "width");
    if (width === 0) return drain(step);
    hop(width - 1, () => {
      const next = this.schedule.length;
      step();
      if (this.schedule.length > next) this.switched.add(next);
    });
  }

  #noteSwitch(): void {
    this.switched.add(this.schedule.length - 1);
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
