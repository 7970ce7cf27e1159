/**
 * What sleeps cost: to their end, cancelled, and while they last.
 *
 * @module
 */
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { Effect, Fiber } from "effect";
import { type Question, registerBenches } from "../question.ts";
import { stdCases, type StdDelay } from "../std_async.ts";

const SLEEPS = 10_000;
const LONG_MS = 60_000;

function sleepToTheEnd(items: number): Promise<unknown> {
  const sleeps = [];
  for (let i = 0; i < items; i++) sleeps.push(sleep(1));
  return Promise.all(sleeps);
}

/** Cancels sleeps whose length `lengthOf` gives. */
function cancelAll(
  items: number,
  lengthOf: (index: number) => number,
): Promise<unknown> {
  return withScope((scope) => {
    const sleeps = [];
    for (let i = 0; i < items; i++) sleeps.push(sleep(lengthOf(i)));
    scope.cancel();
    return Promise.allSettled(sleeps);
  });
}

/** The limit: timers of the platform, each for itself. */
function timeToTheEnd(items: number): Promise<unknown> {
  const sleeps = [];
  for (let i = 0; i < items; i++) {
    sleeps.push(new Promise((resolve) => setTimeout(resolve, 1)));
  }
  return Promise.all(sleeps);
}

function clearAll(items: number, lengthOf: (index: number) => number): void {
  const timers = [];
  for (let i = 0; i < items; i++) {
    timers.push(setTimeout(() => {}, lengthOf(i)));
  }
  for (const timer of timers) clearTimeout(timer);
}

/** Lengths that all differ. A step that is no divisor of `items` scatters them. */
function scatter(items: number): (index: number) => number {
  return (index) => LONG_MS + (index * 7919) % items;
}

const sleepLong = Effect.sleep(LONG_MS);
const sleepShort = Effect.sleep(1);

/** The questions, by name. */
export const questions: Record<string, Question> = {
  toTheEnd: {
    kind: "speed",
    group: "sleep for 1 ms",
    items: SLEEPS,
    cases: [
      {
        name: "setTimeout()",
        kind: "limit",
        run: timeToTheEnd,
      },
      { name: "sleep()", kind: "ours", run: sleepToTheEnd },
      {
        name: "effect",
        kind: "peer",
        run: (items) =>
          Effect.runPromise(
            Effect.forEach(Array(items).keys(), () => sleepShort, {
              concurrency: "unbounded",
              discard: true,
            }),
          ),
      },
      ...await stdCases("delay", ({ delay }: StdDelay) => [{
        name: "@std/async",
        kind: "peer" as const,
        run: (items: number) => {
          const sleeps = [];
          for (let i = 0; i < items; i++) sleeps.push(delay(1));
          return Promise.all(sleeps);
        },
      }]),
    ],
  },

  cancelled: {
    kind: "speed",
    group: "sleep, and cancel all",
    items: SLEEPS,
    cases: [
      {
        name: "setTimeout() and clearTimeout()",
        kind: "limit",
        run: (items) => clearAll(items, () => LONG_MS),
      },
      {
        name: "sleep()",
        kind: "ours",
        run: (items) => cancelAll(items, () => LONG_MS),
      },
      {
        name: "effect",
        kind: "peer",
        run: (items) =>
          Effect.runPromise(Effect.gen(function* () {
            const fibers = [];
            for (let i = 0; i < items; i++) {
              fibers.push(
                yield* Effect.forkChild(sleepLong, { startImmediately: true }),
              );
            }
            yield* Fiber.interruptAll(fibers);
          })),
      },
      ...await stdCases("delay", ({ delay }: StdDelay) => [{
        name: "@std/async",
        kind: "peer" as const,
        run: (items: number) => {
          const controller = new AbortController();
          const { signal } = controller;
          const sleeps = [];
          for (let i = 0; i < items; i++) {
            sleeps.push(delay(LONG_MS, { signal }));
          }
          controller.abort();
          return Promise.allSettled(sleeps);
        },
      }]),
    ],
  },

  endGrowth: {
    kind: "growth",
    group: "sleeps to their end",
    cases: [
      { name: "setTimeout()", kind: "limit", run: timeToTheEnd },
      { name: "sleep()", kind: "ours", run: sleepToTheEnd },
    ],
  },

  cancelGrowth: {
    kind: "growth",
    group: "sleeps that are cancelled at once",
    cases: [
      {
        name: "setTimeout() and clearTimeout()",
        kind: "limit",
        run: (items) => clearAll(items, () => LONG_MS),
      },
      {
        name: "sleep()",
        kind: "ours",
        run: (items) => cancelAll(items, () => LONG_MS),
      },
    ],
  },

  lengthsGrowth: {
    kind: "growth",
    group: "sleeps that all differ in length",
    cases: [
      {
        name: "setTimeout() and clearTimeout()",
        kind: "limit",
        run: (items) => clearAll(items, scatter(items)),
      },
      {
        name: "sleep()",
        kind: "ours",
        run: (items) => cancelAll(items, scatter(items)),
      },
    ],
  },

  bytes: {
    kind: "bytes",
    group: "a sleeper",
    cases: [
      {
        name: "setTimeout()",
        kind: "limit",
        hold: (items) => {
          const timers: ReturnType<typeof setTimeout>[] = [];
          const sleeps: Promise<unknown>[] = [];
          for (let i = 0; i < items; i++) {
            sleeps.push(
              new Promise((resolve) => {
                timers.push(setTimeout(resolve, LONG_MS));
              }),
            );
          }
          return () => {
            for (const timer of timers) clearTimeout(timer);
            return sleeps.length;
          };
        },
      },
      {
        name: "sleep()",
        kind: "ours",
        hold: (items) => {
          const sleeps: Promise<void>[] = [];
          const gate = Promise.withResolvers<void>();
          const done = withScope(async (scope) => {
            for (let i = 0; i < items; i++) sleeps.push(sleep(LONG_MS));
            await gate.promise;
            scope.cancel();
          });
          return () => {
            gate.resolve();
            return done.then(() => Promise.allSettled(sleeps));
          };
        },
      },
      {
        name: "effect",
        kind: "peer",
        hold: (items) => {
          const fibers: Fiber.Fiber<void>[] = [];
          for (let i = 0; i < items; i++) {
            fibers.push(Effect.runFork(sleepLong));
          }
          return () => Effect.runPromise(Fiber.interruptAll(fibers));
        },
      },
      ...await stdCases("delay", ({ delay }: StdDelay) => [{
        name: "@std/async",
        kind: "peer" as const,
        hold: (items: number) => {
          const controller = new AbortController();
          const { signal } = controller;
          const sleeps: Promise<void>[] = [];
          for (let i = 0; i < items; i++) {
            sleeps.push(delay(LONG_MS, { signal }));
          }
          return () => {
            controller.abort();
            return Promise.allSettled(sleeps);
          };
        },
      }]),
    ],
  },
};

registerBenches(questions);
