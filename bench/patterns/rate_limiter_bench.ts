/**
 * What a rate limiter costs while tokens are there.
 *
 * @module
 */
import { slidingWindowLog } from "@ilmek/async/rate-algorithms";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { RateLimiter as PeerLimiter } from "limiter";
import pThrottle from "p-throttle";
import { type Question, registerBenches } from "../question.ts";

const CALLS = 1000;

/** So much that nobody ever waits. */
const LIMIT = 1e9;
const PER_MS = 1000;

const nothing = (): void => {};
const limiter = new RateLimiter({ limit: LIMIT, perMs: PER_MS });
const exact = new RateLimiter({
  limit: 10_000,
  perMs: 1,
  algorithm: slidingWindowLog,
});
const both = RateLimiter.all([
  new RateLimiter({ limit: LIMIT, perMs: PER_MS }),
  new RateLimiter({ limit: LIMIT, perMs: PER_MS }),
]);
const throttled = pThrottle({ limit: LIMIT, interval: PER_MS })(nothing);
const peer = new PeerLimiter({ tokensPerInterval: LIMIT, interval: PER_MS });

/** The questions, by name. */
export const questions: Record<string, Question> = {
  tokenThere: {
    kind: "speed",
    group: "rate limiter, token there",
    items: CALLS,
    cases: [
      {
        name: "one await",
        kind: "limit",
        run: async (items) => {
          const done = Promise.resolve();
          for (let i = 0; i < items; i++) await done;
        },
      },
      {
        name: "acquire()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await limiter.acquire();
        },
      },
      {
        name: "p-throttle",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await throttled();
        },
      },
      {
        name: "limiter",
        kind: "peer",
        run: async (items) => {
          for (let i = 0; i < items; i++) await peer.removeTokens(1);
        },
      },
    ],
  },
  tokenThereNow: {
    kind: "speed",
    group: "rate limiter, token there, without waiting",
    items: CALLS,
    cases: [
      {
        name: "reading the clock",
        kind: "limit",
        run: (items) => {
          let time = 0;
          for (let i = 0; i < items; i++) time += performance.now();
          return time;
        },
      },
      {
        name: "tryAcquire()",
        kind: "ours",
        run: (items) => {
          for (let i = 0; i < items; i++) limiter.tryAcquire();
        },
      },
      {
        name: "limiter",
        kind: "peer",
        run: (items) => {
          for (let i = 0; i < items; i++) peer.tryRemoveTokens(1);
        },
      },
    ],
  },
  exact: {
    kind: "speed",
    group: "rate limiter by a log, token there",
    items: CALLS,
    cases: [
      {
        name: "one await",
        kind: "limit",
        run: async (items) => {
          const done = Promise.resolve();
          for (let i = 0; i < items; i++) await done;
        },
      },
      {
        name: "acquire() by slidingWindowLog",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await exact.acquire();
        },
      },
    ],
  },
  two: {
    kind: "speed",
    group: "two rate limiters at once, token there",
    items: CALLS,
    cases: [
      {
        name: "one await",
        kind: "limit",
        run: async (items) => {
          const done = Promise.resolve();
          for (let i = 0; i < items; i++) await done;
        },
      },
      {
        name: "RateLimiter.all().acquire()",
        kind: "ours",
        run: async (items) => {
          for (let i = 0; i < items; i++) await both.acquire();
        },
      },
    ],
  },
  waitersGrowth: {
    kind: "growth",
    group: "rate limiter with many waiters",
    cases: [
      {
        name: "acquire() and refund()",
        kind: "ours",
        run: async (items) => {
          const crowded = new RateLimiter({
            limit: 1,
            perMs: 3_600_000,
            maxQueue: Infinity,
          });
          crowded.tryAcquire();
          const waits = Array.from({ length: items }, () => crowded.acquire());
          for (let i = 0; i < items; i++) crowded.refund();
          await Promise.all(waits);
        },
      },
    ],
  },
};

registerBenches(questions);
