import type { Actor } from "./actor.ts";
import type { Claim } from "./claim.ts";
import type { CancelledError } from "./errors.ts";
import type { Job } from "./job.ts";
import { type ExceptionContext, reportToConsole } from "./report.ts";
import { Ring } from "./ring.ts";
import { ScopeNode } from "./scope_node.ts";
import { TimerQueue } from "./timer_queue.ts";

/** What a clock drives. */
export interface ClockClient {
  readonly timers: TimerQueue;
  runTurn(): void;
  runTimers(): void;
}

/** Where a loop's time comes from, and its turns. */
export interface Clock {
  attach(client: ClockClient): void;
  now(): number;
  /** Calls `runTurn` once, when what is under way has come to rest. */
  requestTurn(): void;
  /** Calls `fn` when what is under way has come to rest. */
  requestFence(fn: () => void): void;
  /** Whether it is time for a turn, although there is more to do at once. */
  turnIsDue(): boolean;
  /** Says that another timer has become the next one. */
  timersChanged(): void;
  /**
   * Keeps the process alive until the function that comes back is called, and
   * calls `look` every so often.
   */
  keepAlive(look?: () => void): () => void;
  /**
   * Calls `fn` when the process is about to end since nothing is left to do; the
   * function that comes back takes it back.
   */
  beforeExit(fn: () => void): () => void;
}

/** Decides who runs next, in place of the system's order. */
export interface Door {
  /** Takes a job, to be run later. */
  push(job: Job): void;
  /** What an uncontended success gives: the promise, or one that comes later. */
  pass<T>(promise: Promise<T>, frame: PassFrame): Promise<T>;
}

/** Who passes a door. */
export interface PassFrame {
  readonly actor: Actor | undefined;
}

/** Something outside that the loop waits for. */
export interface Hold {
  readonly what: string;
  /** A promise that may come from outside, or from code of this very loop. */
  readonly bare: boolean;
}

/** Learns who waits and who does not; for loops that must know when all is idle. */
export interface Observer {
  parked(claim: Claim): void;
  unparked(claim: Claim): void;
  started(actor: Actor): void;
  ended(actor: Actor): void;
  held(holds: ReadonlySet<Hold>): void;
}

/** After how many ready waits or starts the clock is asked whether to give way. */
const STEPS_PER_LOOK = 128;
/** How many tasks that wait for a turn begin in it. */
const STARTS_PER_TURN = 1024;
/** How long a failed task may stay unobserved before it is reported. */
const UNOBSERVED_MS = 5000;

/** A failed task that nobody has looked at yet. */
export interface Unobserved {
  /** The loop's time of the failure. */
  readonly at: number;
  readonly context: ExceptionContext;
  seen: boolean;
}

/**
 * The one door to time and to wake-ups.
 *
 * Without a door of its own a grant resolves at once, starts and done callbacks
 * run first come, first served in a microtask, and `turn` is a real turn, so that
 * timers and I/O run in between.
 */
export class EventLoop implements ClockClient {
  readonly clock: Clock;
  /** Invariant: what was begun under a former root stays cancelled. */
  root: ScopeNode;
  readonly timers: TimerQueue;
  observer: Observer | undefined = undefined;
  door: Door | undefined = undefined;
  exceptionHandler: ((context: ExceptionContext) => void) | undefined =
    undefined;
  debug = false;
  /** Where `select` begins to look, so that no choice is always the first. */
  nextChoice = 0;
  /** Which jobs hold the loop too long, in debug mode. */
  slowCallbackMs = 100;
  closed = false;
  /** Invariant: at least 1 while a runner runs its main function in here. */
  running = 0;
  readonly #deferred = new Ring<Job>();
  readonly #turns = new Ring<Job>();
  /** Tasks that wait for a turn of timers and I/O before they begin. */
  readonly #late = new Ring<() => void>();
  #draining = false;
  #turnRequested = false;
  #steps = 0;
  readonly #holds = new Set<Hold>();
  #sources = 0;
  readonly #unobserved = new Ring<Unobserved>();
  #forgetExit: (() => void) | undefined;

  constructor(clock: Clock, name = "root") {
    this.clock = clock;
    this.timers = new TimerQueue(
      () => clock.now(),
      () => clock.timersChanged(),
    );
    this.root = new ScopeNode(this, undefined, { name });
    clock.attach(this);
  }

  /** Ends all that runs below the root, and begins with a new one. */
  renewRoot(error: CancelledError): void {
    const ended = this.root;
    this.root = new ScopeNode(this, undefined, { name: ended.title });
    ended.cancelHard(error);
  }

  /** All tasks that have not ended. */
  *actors(): Generator<Actor> {
    for (const { owner } of this.root.descendants()) {
      if (owner !== undefined && owner.state !== "ended") yield owner;
    }
  }

  /** Drops all that is planned; nothing can begin any more. */
  close(): void {
    this.closed = true;
    this.dropPlanned();
  }

  /** Forgets timers and turns that have not come. */
  dropPlanned(): void {
    this.timers.clear();
    while (this.#turns.size > 0) this.#turns.shift();
  }

  time(): number {
    return this.clock.now();
  }

  /** Resumes a waiter whose claim was decided. */
  wake(claim: Claim): void {
    if (this.door === undefined) claim.run();
    else this.door.push(claim);
  }

  /** Lets an uncontended success through: a place where a loop may choose. */
  pass<T>(promise: Promise<T>, frame: PassFrame): Promise<T> {
    // Callers that never have to wait must not starve timers and I/O.
    if (this.#mustGiveWay()) return this.#giveWay(promise);
    return this.door === undefined ? promise : this.door.pass(promise, frame);
  }

  /**
   * What a task waits for before it begins, if it must. Tasks that start tasks
   * without end must not starve timers and I/O; whoever comes while others wait
   * joins their line.
   */
  startGate(): Promise<void> | undefined {
    if (this.door !== undefined) return undefined;
    if (this.#late.size === 0 && !this.#mustGiveWay()) return undefined;
    if (this.#late.size === 0) this.clock.requestFence(this.#letBegin);
    return new Promise((resolve) => this.#late.push(resolve));
  }

  /** Lets some begin, and the others after another turn. */
  readonly #letBegin = (): void => {
    const count = Math.min(this.#late.size, STARTS_PER_TURN);
    for (let i = 0; i < count; i++) this.#late.shift()?.();
    if (this.#late.size > 0) this.clock.requestFence(this.#letBegin);
  };

  /** Runs a job soon: first come, first served, before the next turn. */
  defer(job: Job): void {
    if (this.door !== undefined) return this.door.push(job);
    this.#deferred.push(job);
    if (this.#draining) return;
    this.#draining = true;
    queueMicrotask(() => this.#drain());
  }

  /** Runs a job in the next turn. */
  turn(job: Job): void {
    if (this.door !== undefined) return this.door.push(job);
    this.#turns.push(job);
    if (this.#turnRequested) return;
    this.#turnRequested = true;
    this.clock.requestTurn();
  }

  runTurn(): void {
    this.#turnRequested = false;
    // What comes in meanwhile belongs to the turn after this one.
    for (let n = this.#turns.size; n > 0; n--) this.#turns.shift()?.run();
  }

  runTimers(): void {
    const now = this.clock.now();
    // What is planned meanwhile comes in the next step, even if it is due at once.
    const { planned } = this.timers;
    for (
      let timer = this.timers.takeDue(now, planned);
      timer !== undefined;
      timer = this.timers.takeDue(now, planned)
    ) {
      if (this.door === undefined) timer.run();
      else this.door.push(timer);
    }
  }

  /** What is expected from outside. */
  get holds(): ReadonlySet<Hold> {
    return this.#holds;
  }

  /** Says that something outside will come; the function that comes back ends it. */
  hold(what: string, options: { bare?: boolean } = {}): () => void {
    const { bare = false } = options;
    const hold: Hold = { what, bare };
    this.#holds.add(hold);
    this.observer?.held(this.#holds);
    return () => {
      if (this.#holds.delete(hold)) this.observer?.held(this.#holds);
    };
  }

  /** Whether something may come from outside. */
  get isOpen(): boolean {
    return this.#holds.size > 0 || this.#sources > 0;
  }

  /**
   * Says that something may come from outside at any time, while the clock goes
   * on: a signal, a connection. The function that comes back ends it.
   */
  expectOutside(): () => void {
    this.#sources++;
    return () => this.#sources--;
  }

  /** Calls the exception handler; what that throws goes to the console. */
  report(context: ExceptionContext): void {
    const { exceptionHandler } = this;
    if (exceptionHandler === undefined) return reportToConsole(context);
    try {
      exceptionHandler(context);
    } catch (error) {
      reportToConsole({
        message: "Cannot report: the exception handler has thrown",
        exception: error,
      });
      reportToConsole(context);
    }
  }

  /** Reports a failure in 5 s, or at `reportUnobserved`, unless it was seen. */
  watchUnobserved(entry: Unobserved): void {
    this.#unobserved.push(entry);
    if (this.#unobserved.size > 1) return;
    this.#timeUnobserved(entry);
    // Without a run nobody else would tell them.
    this.#forgetExit?.();
    this.#forgetExit = this.clock.beforeExit(() => this.reportUnobserved());
  }

  /** Reports all failures that nobody has looked at. */
  reportUnobserved(): void {
    this.#forgetExit?.();
    this.#forgetExit = undefined;
    for (
      let entry = this.#unobserved.shift();
      entry !== undefined;
      entry = this.#unobserved.shift()
    ) {
      this.reportOnce(entry);
    }
  }

  reportOnce(entry: Unobserved): void {
    if (entry.seen) return;
    entry.seen = true;
    this.report(entry.context);
  }

  #timeUnobserved(first: Unobserved): void {
    // A moment, and no duration: what is left of one may be too little to add.
    this.timers.at(first.at + UNOBSERVED_MS, {
      label: "a report of failed tasks",
      expire: () => {
        const now = this.time();
        let entry = this.#unobserved.at(0);
        while (entry !== undefined && entry.at + UNOBSERVED_MS <= now) {
          this.#unobserved.shift();
          this.reportOnce(entry);
          entry = this.#unobserved.at(0);
        }
        if (entry !== undefined) this.#timeUnobserved(entry);
      },
    }, { idle: true });
  }

  #giveWay<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.turn({
        kind: "turn",
        label: "a turn for timers and I/O",
        run: () => resolve(promise),
      });
    });
  }

  /** Runs what was there; what comes in meanwhile is for the next microtask. */
  #drain(): void {
    for (let n = this.#deferred.size; n > 0; n--) this.#deferred.shift()?.run();
    if (this.#deferred.size === 0) this.#draining = false;
    else if (this.#mustGiveWay()) {
      this.clock.requestFence(() => this.#drain());
    } else queueMicrotask(() => this.#drain());
  }

  /** Whether timers and I/O have waited long enough for those who never wait. */
  #mustGiveWay(): boolean {
    return ++this.#steps % STEPS_PER_LOOK === 0 && this.clock.turnIsDue();
  }
}
