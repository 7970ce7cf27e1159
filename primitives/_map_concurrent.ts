import { Claim, type Line } from "../_internal/claim.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { refusal } from "../_internal/refuse.ts";
import { Ring } from "../_internal/ring.ts";
import type { Crew, Member } from "./_crew.ts";
import type { Work } from "./_crew_pull.ts";
import {
  DONE,
  isLater,
  type Opener,
  type Pulled,
  type PullSettings,
} from "./_pull.ts";
import { Puller } from "./_puller.ts";

/** How {@linkcode MapWork} goes about it. */
export interface MapPlan {
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly buffer: number;
}

/** An item on its way. */
interface Job {
  /** The item, then what became of it. */
  value: unknown;
  readonly index: number;
  done: boolean;
}

/**
 * Calls a function for several items at a time, each in a task of its own.
 *
 * Invariant: not more than `concurrency` calls are under way, and not more than
 * `concurrency + buffer` items were pulled whose result was not taken.
 */
export class MapWork implements Work {
  readonly name = "map()";
  readonly label = "an item of map()";
  readonly sources: readonly Opener[];
  readonly #fn: (item: unknown, index: number) => unknown;
  readonly #plan: MapPlan;
  readonly #settings: PullSettings;
  /** In order: all that were pulled and not taken. Else: those that are done. */
  readonly #jobs = new Ring<Job>();
  readonly #idle: Worker[] = [];
  #crew: Crew | undefined = undefined;
  #feeder: Puller | undefined = undefined;
  #busy = 0;
  #untaken = 0;
  #index = 0;

  constructor(
    source: Opener,
    fn: (item: unknown, index: number) => unknown,
    plan: MapPlan,
    settings: PullSettings,
  ) {
    this.sources = [source];
    this.#fn = fn;
    this.#plan = plan;
    this.#settings = settings;
  }

  begin(crew: Crew): void {
    this.#crew = crew;
    this.#feeder = new Puller({
      crew,
      name: "source of map()",
      settings: this.#settings,
      open: this.sources[0] as Opener,
      onItem: (item) => this.#give(item),
    });
  }

  take(): Pulled | undefined {
    const head = this.#jobs.at(0);
    if (head?.done) {
      this.#jobs.shift();
      this.#untaken--;
      this.ask();
      return { done: false, value: head.value };
    }
    return this.#feeder?.ended && this.#untaken === 0 ? DONE : undefined;
  }

  ask(): void {
    const { concurrency, buffer } = this.#plan;
    if (this.#busy >= concurrency) return;
    if (this.#untaken < concurrency + buffer) this.#feeder?.ask();
  }

  /** Gives an item to a worker: to a new one, if all are busy. */
  #give(item: unknown): void {
    const job: Job = { value: item, index: this.#index++, done: false };
    this.#busy++;
    this.#untaken++;
    if (this.#plan.ordered) this.#jobs.push(job);
    const worker = this.#idle.pop();
    if (worker !== undefined) worker.give(job);
    else this.#crew?.start(new Worker(job, this.#fn, this.#end));
    this.ask();
  }

  readonly #end = (worker: Worker, job: Job): void => {
    job.done = true;
    this.#busy--;
    this.#idle.push(worker);
    if (!this.#plan.ordered) this.#jobs.push(job);
    this.ask();
    if (this.#jobs.at(0)?.done) this.#crew?.onChange();
  };
}

/**
 * How often a worker looks for an item before it waits. Sources that answer at once
 * have the next one ready by then: a claim costs several times as much as a look.
 */
const LOOKS = 2;

/** A task that calls the function for one item after the other. */
class Worker implements Member, Line {
  readonly name = "worker of map()";
  readonly #fn: (item: unknown, index: number) => unknown;
  readonly #onEnd: (worker: Worker, job: Job) => void;
  #job: Job | undefined;
  #waiting: Claim<Job> | undefined = undefined;

  constructor(
    job: Job,
    fn: (item: unknown, index: number) => unknown,
    onEnd: (worker: Worker, job: Job) => void,
  ) {
    this.#job = job;
    this.#fn = fn;
    this.#onEnd = onEnd;
  }

  give(job: Job): void {
    const claim = this.#waiting;
    if (claim === undefined) this.#job = job;
    else claim.grant(job);
  }

  withdraw(): void {
    this.#waiting = undefined;
  }

  async work(): Promise<void> {
    const frame = currentFrame();
    const fn = this.#fn;
    for (;;) {
      for (let i = 0; this.#job === undefined && i < LOOKS; i++) {
        await undefined;
      }
      const job = this.#job ?? await this.#turn(frame);
      this.#job = undefined;
      const result = fn(job.value, job.index);
      job.value = isLater(result) ? await result : result;
      this.#onEnd(this, job);
    }
  }

  /** Waits for a job. */
  #turn(frame: Frame): Promise<Job> {
    const refused = refusal(frame, "wait for an item");
    if (refused !== undefined) return refused;
    const claim = new Claim<Job>(frame, "an item to work on");
    claim.line = this;
    this.#waiting = claim;
    return claim.wait();
  }
}
