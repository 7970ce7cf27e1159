import {
  checkChoice,
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { defaultRandom } from "../_internal/random.ts";

/** What a schedule is told when something has failed. */
export interface ScheduleInput {
  /** Which attempt has failed: 1 for the first. */
  readonly attempt: number;
  /** How many milliseconds have passed since the first attempt began. */
  readonly elapsedMs: number;
  /** How long the last wait was; 0 if there was none. */
  readonly lastDelayMs: number;
  /** What the attempt has failed with. */
  readonly error?: unknown;
  /** Where jitter comes from: a number >= 0 and below 1. */
  readonly random: () => number;
}

/**
 * Tells how many milliseconds to wait before the next attempt; `undefined` says
 * that there is none.
 */
export type ScheduleStep = (input: ScheduleInput) => number | undefined;

/**
 * How delays are spread, so that those who failed together do not come back
 * together: between 0 and the delay, between half and all of it, between the
 * first delay and three times the last one, or not at all.
 */
export type Jitter = "full" | "equal" | "decorrelated" | "none";

/** Options of {@linkcode Schedule.jittered}. */
export interface ScheduleJitteredOptions {
  /**
   * The longest delay of `"decorrelated"`.
   *
   * @default {10000}
   */
  maxMs?: Duration;
}

/** Options of {@linkcode Schedule.delays}. */
export interface ScheduleDelaysOptions {
  /** Where jitter comes from. */
  random?: () => number;
}

const JITTERS: readonly Jitter[] = ["full", "equal", "decorrelated", "none"];

/**
 * When to try again. Schedules are values: what changes one makes a new one, and
 * each run through it begins afresh.
 *
 * @example Combine schedules
 * ```ts
 * import { exponential, spaced } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const quickThenSlow = spaced(5).recurs(2).andThen(exponential(100)).recurs(4);
 *
 * assertEquals(quickThenSlow.delays(10), [5, 5, 100, 200]);
 * ```
 */
export class Schedule {
  readonly #begin: () => ScheduleStep;

  /**
   * Creates a schedule. `begin` is called for each run, and gives a function that
   * is asked after each failure; what it remembers belongs to that run.
   */
  constructor(begin: () => ScheduleStep) {
    checkFunction(begin, "create a schedule", "begin");
    this.#begin = begin;
  }

  /**
   * Begins a run through the schedule.
   *
   * @returns A function that tells each delay in turn.
   */
  begin(): ScheduleStep {
    return this.#begin();
  }

  /**
   * Goes on as long as both do, and waits for the longer of both delays.
   *
   * @param other Another schedule.
   * @returns A new schedule.
   */
  and(other: Schedule): Schedule {
    return combine(this, other, (a, b) => {
      if (a === undefined || b === undefined) return undefined;
      return Math.max(a, b);
    });
  }

  /**
   * Goes on as long as one of both does, and waits for the shorter delay.
   *
   * @param other Another schedule.
   * @returns A new schedule.
   */
  or(other: Schedule): Schedule {
    return combine(this, other, (a, b) => {
      if (a === undefined || b === undefined) return a ?? b;
      return Math.min(a, b);
    });
  }

  /**
   * Goes on with another schedule when this one stops. The other counts attempts
   * and time from there.
   *
   * @param other The schedule that follows.
   * @returns A new schedule.
   */
  andThen(other: Schedule): Schedule {
    checkSchedule(other, "chain schedules");
    return new Schedule(() => {
      const first = this.begin();
      let second: ScheduleStep | undefined;
      let from: ScheduleInput | undefined;
      return (input) => {
        if (second === undefined) {
          const delay = first(input);
          if (delay !== undefined) return delay;
          second = other.begin();
          from = input;
        }
        const { attempt = 1, elapsedMs = 0 } = from ?? {};
        return second({
          ...input,
          attempt: input.attempt - attempt + 1,
          elapsedMs: input.elapsedMs - elapsedMs,
        });
      };
    });
  }

  /**
   * Stops before a delay that would end later than `ms` after the beginning.
   *
   * @param ms How long to go on.
   * @returns A new schedule.
   * @throws {RangeError} If `ms` is negative or not a number.
   */
  upTo(ms: Duration): Schedule {
    const limit = toMs(ms, "limit a schedule");
    return this.#mapped((delay, { elapsedMs }) =>
      elapsedMs + delay > limit ? undefined : delay
    );
  }

  /**
   * Stops after `count` delays.
   *
   * @param count How many delays there are at most.
   * @returns A new schedule.
   * @throws {RangeError} If `count` is not an integer >= 0.
   */
  recurs(count: number): Schedule {
    const doing = "limit a schedule";
    checkCount(count, doing, "count", 0);
    return this.and(
      new Schedule(() => ({ attempt }) => attempt <= count ? 0 : undefined),
    );
  }

  /**
   * Spreads the delays. The spread comes last, so that a delay at its limit is
   * spread like all others.
   *
   * @param jitter How to spread.
   * @param options Additional options.
   * @returns A new schedule.
   * @throws {TypeError} If `jitter` is none of the known ways.
   */
  jittered(
    jitter: Jitter = "full",
    options: ScheduleJitteredOptions = {},
  ): Schedule {
    const { maxMs = 10_000 } = options;
    checkChoice(jitter, "spread a schedule", "jitter", JITTERS);
    const most = toMs(maxMs, "spread a schedule", "maxMs");
    if (jitter === "decorrelated") return this.#decorrelated(most);
    return this.#mapped((delay, { random }) => {
      if (jitter === "none") return delay;
      if (jitter === "full") return delay * random();
      return delay / 2 + delay / 2 * random();
    });
  }

  /**
   * The delays that a run would have if every attempt failed at once: to look at
   * a schedule, and to test it.
   *
   * @param count How many delays to give at most.
   * @param options Additional options.
   * @returns The delays, fewer than `count` if the schedule stops.
   */
  delays(count: number, options: ScheduleDelaysOptions = {}): number[] {
    const { random = defaultRandom } = options;
    const step = this.begin();
    const delays: number[] = [];
    let elapsedMs = 0;
    for (let attempt = 1; attempt <= count; attempt++) {
      const lastDelayMs = delays.at(-1) ?? 0;
      const delay = step({ attempt, elapsedMs, lastDelayMs, random });
      if (delay === undefined) break;
      delays.push(delay);
      elapsedMs += delay;
    }
    return delays;
  }

  /** AWS's decorrelated jitter: "Exponential Backoff And Jitter" (2015). */
  #decorrelated(maxMs: number): Schedule {
    return new Schedule(() => {
      const step = this.begin();
      let first: number | undefined;
      return (input) => {
        const delay = step(input);
        if (delay === undefined) return undefined;
        first ??= delay;
        const top = Math.max(first, input.lastDelayMs * 3);
        return Math.min(maxMs, first + (top - first) * input.random());
      };
    });
  }

  #mapped(
    map: (delay: number, input: ScheduleInput) => number | undefined,
  ): Schedule {
    return new Schedule(() => {
      const step = this.begin();
      return (input) => {
        const delay = step(input);
        return delay === undefined ? undefined : map(delay, input);
      };
    });
  }
}

/** Throws unless `value` is a schedule. */
function checkSchedule(value: unknown, doing: string): void {
  if (value instanceof Schedule) return;
  throw new TypeError(
    `Cannot ${doing} as "schedule" must be a Schedule: current value is ${
      show(value)
    }`,
  );
}

function combine(
  a: Schedule,
  b: Schedule,
  merge: (a: number | undefined, b: number | undefined) => number | undefined,
): Schedule {
  checkSchedule(b, "combine schedules");
  return new Schedule(() => {
    const [stepA, stepB] = [a.begin(), b.begin()];
    return (input) => merge(stepA(input), stepB(input));
  });
}
