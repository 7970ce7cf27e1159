import { assert, assertEquals } from "@std/assert";
import { getRunningLoop } from "@ilmek/async/loop";
import {
  fixedWindow,
  gcra,
  type Rate,
  type RateAlgorithmFactory,
  slidingWindow,
  slidingWindowLog,
  tokenBucket,
} from "@ilmek/async/rate-algorithms";
import { RateLimitedError, RateLimiter } from "@ilmek/async/rate-limiter";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { simulate, type Simulation } from "./_harness.ts";

/** A call that was let through. */
interface Start {
  readonly at: number;
  readonly cost: number;
}

/** What a limiter promises for a rate: the most that a stretch of `ms` may see. */
type Bound = (rate: Rate) => { ms: number; most: number };

/** How many calls each crowd makes. */
const CALLS = 16;

/** Stretches end before the moment at which they do, but for rounding. */
const ROUNDING_MS = 1e-4;

const BOUNDS = [
  [gcra, ({ limit, perMs, burst }) => ({ ms: perMs, most: burst + limit })],
  [tokenBucket, ({ limit, perMs, burst }) => ({
    ms: perMs,
    most: burst + limit,
  })],
  [slidingWindowLog, ({ limit, perMs }) => ({ ms: perMs, most: limit })],
  [slidingWindow, ({ limit, perMs }) => ({ ms: perMs, most: 2 * limit })],
  [fixedWindow, ({ limit, perMs }) => ({ ms: perMs, most: 2 * limit })],
] as const satisfies readonly (readonly [RateAlgorithmFactory, Bound])[];

function randomRate(simulation: Simulation): Rate {
  const limit = simulation.int(1, 10);
  const perMs = simulation.pick([50, 100, 333, 1000]);
  return { limit, perMs, burst: limit };
}

/** Checks each stretch of `ms` that begins with a start. */
function checkBound(
  starts: readonly Start[],
  { ms, most }: ReturnType<Bound>,
): void {
  let sum = 0;
  let first = 0;
  for (const { at, cost } of starts) {
    sum += cost;
    for (
      let start = starts[first];
      start !== undefined && start.at <= at - ms + ROUNDING_MS;
      start = starts[first]
    ) {
      sum -= start.cost;
      first++;
    }
    assert(sum <= most + 1e-6, `${sum} of ${most} within ${ms} ms at ${at}`);
  }
}

/** How the calls of a client have ended. */
class Ledger {
  readonly starts: Start[] = [];
  begun = 0;
  refused = 0;
  cancelled = 0;

  /** Waits for a turn, and writes down what becomes of it. */
  async call(
    limiter: RateLimiter,
    cost: number,
    options: Parameters<RateLimiter["acquire"]>[1],
  ): Promise<void> {
    this.begun++;
    try {
      await limiter.acquire(cost, options);
      this.starts.push({ at: getRunningLoop().time(), cost });
    } catch (error) {
      if (error instanceof RateLimitedError) this.refused++;
      else {
        this.cancelled++;
        throw error;
      }
    }
  }
}

/** A crowd that comes by chance, gives up by chance, and is blocked by chance. */
async function crowd(
  simulation: Simulation,
  limiters: readonly [RateLimiter, ...RateLimiter[]],
  ledgers: ReadonlyMap<RateLimiter, Ledger>,
  perMs: number,
): Promise<void> {
  const tasks: Task<void>[] = [];
  for (let i = 0; i < CALLS; i++) {
    const limiter = simulation.pick(limiters);
    const ledger = ledgers.get(limiter) as Ledger;
    const cost = simulation.int(1, limiter.burst);
    const options = {
      ...(simulation.chance(0.2) ? { maxWaitMs: simulation.int(0, 500) } : {}),
      ...(simulation.chance(0.2) ? { priority: simulation.int(-1, 2) } : {}),
      ...(simulation.chance(0.2) ? { tenant: simulation.int(0, 2) } : {}),
    };
    const task = createTask(() => ledger.call(limiter, cost, options));
    tasks.push(task);
    if (simulation.chance(0.15)) {
      const victim = simulation.pick([task, ...tasks]);
      getRunningLoop().callLater(simulation.between(0, perMs), () => {
        victim.cancel();
      });
    }
    if (simulation.chance(0.5)) await sleep(simulation.gap(perMs / 5));
    if (simulation.chance(0.05)) limiter.penalize(simulation.between(0, perMs));
  }
  for (const task of tasks) await task.outcome();
  for (const limiter of limiters) assertEquals(limiter.waiting, 0);
}

/** Checks that each call has ended in one way. */
function checkLedgers(ledgers: Iterable<Ledger>): void {
  for (const { starts, refused, cancelled, begun } of ledgers) {
    assertEquals(starts.length + refused + cancelled, begun);
  }
}

for (const [algorithm, bound] of BOUNDS) {
  simulate(
    `RateLimiter by ${algorithm.name}() keeps its limit and loses nobody`,
    async (simulation) => {
      const rate = randomRate(simulation);
      const limiter = new RateLimiter({ ...rate, algorithm });
      const ledger = new Ledger();

      await crowd(
        simulation,
        [limiter],
        new Map([[limiter, ledger]]),
        rate.perMs,
      );

      checkLedgers([ledger]);
      checkBound(ledger.starts, bound(rate));
    },
  );
}

simulate(
  "RateLimiter.all() keeps all limits, and loses nobody",
  async (simulation) => {
    const rates = [randomRate(simulation), randomRate(simulation)] as const;
    const [a, b] = rates.map((rate) =>
      new RateLimiter({ ...rate, algorithm: slidingWindowLog })
    ) as [RateLimiter, RateLimiter];
    const both = RateLimiter.all([a, b]);
    const ledgers = new Map(
      [a, b, both].map((limiter) => [limiter, new Ledger()]),
    );

    await crowd(simulation, [a, b, both], ledgers, rates[0].perMs);

    checkLedgers(ledgers.values());
    for (const [limiter, rate] of [[a, rates[0]], [b, rates[1]]] as const) {
      const starts = [limiter, both].flatMap((it) =>
        ledgers.get(it)?.starts ?? []
      );
      starts.sort((x, y) => x.at - y.at);
      checkBound(starts, { ms: rate.perMs, most: rate.limit });
    }
  },
);

simulate(
  "RateLimiter keeps the limits of callers in a hurry",
  async (simulation) => {
    const limit = simulation.int(64, 300);
    const [algorithm, bound] = simulation.pick<(typeof BOUNDS)[number]>([
      BOUNDS[0],
      BOUNDS[2],
    ]);
    const rate = { limit, perMs: 1000, burst: limit };
    const limiter = new RateLimiter({ ...rate, algorithm });
    const starts: Start[] = [];
    for (let i = 0; i < 30; i++) {
      for (let n = simulation.int(0, limit / 2); n > 0; n--) {
        if (!limiter.tryAcquire()) break;
        starts.push({ at: getRunningLoop().time(), cost: 1 });
      }
      await sleep(simulation.gap(200));
    }

    checkBound(starts, bound(rate));
  },
);

/** A call, and when it comes. */
interface Arrival extends Start {
  /** When its turn came. */
  readonly turn: number;
}

/** Whether `cost` fits at a time: by a log, or by a bucket that drips. */
type Fits = (starts: readonly Start[], cost: number, at: number) => boolean;

function fitsLog({ limit, perMs }: Rate): Fits {
  return (starts, cost, at) => {
    const near = starts.filter((start) => start.at > at - perMs + ROUNDING_MS);
    return near.reduce((sum, start) => sum + start.cost, cost) <= limit;
  };
}

function fitsBucket({ limit, perMs, burst }: Rate): Fits {
  return (starts, cost, at) => {
    let [tokens, last] = [burst, 0];
    for (const start of [...starts, { at, cost }]) {
      tokens = Math.min(burst, tokens + (start.at - last) * limit / perMs);
      tokens -= start.cost;
      last = start.at;
    }
    return tokens >= -1e-6;
  };
}

/** When each arrival has its turn, found by trying all moments that could be it. */
function turnsOf(
  arrivals: readonly Start[],
  { limit, perMs, burst }: Rate,
  fits: Fits,
): number[] {
  const starts: Start[] = [];
  const interval = perMs / limit;
  for (const { at, cost } of arrivals) {
    const earliest = Math.max(at, starts.at(-1)?.at ?? 0);
    // A log makes room when an entry leaves, a bucket when it holds enough.
    const moments = starts.map((start) => start.at + perMs);
    const fullAt = starts.reduce(
      (full, start) => Math.max(full, start.at) + start.cost * interval,
      0,
    );
    moments.push(fullAt - (burst - cost) * interval, earliest);
    const possible = moments.filter((moment) => moment >= earliest);
    const turn = possible.toSorted((a, b) => a - b).find((moment) =>
      fits(starts, cost, moment)
    );
    starts.push({ at: turn ?? NaN, cost });
  }
  return starts.map((start) => start.at);
}

for (
  const [algorithm, fitsFor] of [
    [slidingWindowLog, fitsLog],
    [gcra, fitsBucket],
    [tokenBucket, fitsBucket],
  ] as const
) {
  simulate(
    `RateLimiter by ${algorithm.name}() gives turns as a simple model does`,
    async (simulation) => {
      const rate = randomRate(simulation);
      const limiter = new RateLimiter({ ...rate, algorithm });
      const tasks: Task<Arrival>[] = [];
      for (let i = 0; i < CALLS; i++) {
        const cost = simulation.int(1, rate.limit);
        tasks.push(createTask(async () => {
          const at = getRunningLoop().time();
          await limiter.acquire(cost);
          return { at, cost, turn: getRunningLoop().time() };
        }));
        await sleep(
          simulation.chance(0.4) ? 0 : simulation.gap(rate.perMs / 2),
        );
      }
      const arrivals: Arrival[] = [];
      for (const task of tasks) arrivals.push(await task);

      const turns = turnsOf(arrivals, rate, fitsFor(rate));
      for (const [i, { turn }] of arrivals.entries()) {
        const wanted = turns[i] ?? NaN;
        assert(
          Math.abs(turn - wanted) < 0.001,
          `call ${i} at ${turn} instead of ${wanted}`,
        );
      }
    },
  );
}
