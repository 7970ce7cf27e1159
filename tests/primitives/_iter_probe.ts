/**
 * Sources that count, and all operators of `AsyncIter`, for tests that go over all
 * of them.
 *
 * @module
 */
import { type AsyncIter, iter, type IterSource } from "@ilmek/async/async-iter";
import { sleep } from "@ilmek/async/sleep";

/** What a source under test has seen. */
export class Probe {
  /** How often it was asked for an item. */
  pulls = 0;
  /** How often somebody began to go over it. */
  opens = 0;
  /** How often its end came, in whatever way. */
  ends = 0;
  /** How often it was asked while it had not answered yet. */
  overlaps = 0;
}

/** How a source behaves. */
export interface SourcePlan {
  readonly items?: number;
  /** How long it waits before each item. */
  readonly ms?: number;
  /** Fails instead of giving the item with this number. */
  readonly failsAt?: number;
}

/** A kind of source: numbers from 0 on, which the probe counts. */
export interface SourceKind {
  readonly name: string;
  /** Whether `ms` means something. */
  readonly waits: boolean;
  make(probe: Probe, plan?: SourcePlan): IterSource<number>;
}

/** What sources fail with. */
export class SourceError extends Error {}

export const asyncGenerator: SourceKind = {
  name: "an async generator",
  waits: true,
  make: (probe, { items = 20, ms = 1, failsAt = -1 } = {}) =>
    async function* () {
      probe.opens++;
      try {
        for (let n = 0; n < items; n++) {
          probe.pulls++;
          await sleep(ms);
          if (n === failsAt) throw new SourceError("source");
          yield n;
        }
        probe.pulls++;
      } finally {
        await Promise.resolve();
        probe.ends++;
      }
    },
};

export const syncGenerator: SourceKind = {
  name: "a generator",
  waits: false,
  make: (probe, { items = 20, failsAt = -1 } = {}) =>
    function* () {
      probe.opens++;
      try {
        for (let n = 0; n < items; n++) {
          probe.pulls++;
          if (n === failsAt) throw new SourceError("source");
          yield n;
        }
        probe.pulls++;
      } finally {
        probe.ends++;
      }
    },
};

export const iteratorObject: SourceKind = {
  name: "an iterator of one's own",
  waits: true,
  make: (probe, { items = 20, ms = 1, failsAt = -1 } = {}) => ({
    [Symbol.asyncIterator](): AsyncIterator<number> {
      probe.opens++;
      let n = 0;
      let busy = false;
      return {
        async next() {
          if (busy) probe.overlaps++;
          busy = true;
          probe.pulls++;
          try {
            await sleep(ms);
          } catch (error) {
            probe.ends++;
            throw error;
          } finally {
            busy = false;
          }
          if (n === failsAt) {
            probe.ends++;
            throw new SourceError("source");
          }
          if (n < items) return { done: false, value: n++ };
          probe.ends++;
          return { done: true, value: undefined };
        },
        async return() {
          await sleep(1);
          probe.ends++;
          return { done: true, value: undefined };
        },
      };
    },
  }),
};

export const stream: SourceKind = {
  name: "a stream",
  waits: false,
  make: (probe, { items = 20, failsAt = -1 } = {}) => () => {
    probe.opens++;
    let n = 0;
    return new ReadableStream<number>({
      pull(controller) {
        probe.pulls++;
        if (n === failsAt) {
          probe.ends++;
          throw new SourceError("source");
        }
        if (n < items) controller.enqueue(n++);
        else {
          probe.ends++;
          controller.close();
        }
      },
      cancel() {
        probe.ends++;
      },
    }, { highWaterMark: 0 });
  },
};

export const KINDS: readonly SourceKind[] = [
  asyncGenerator,
  syncGenerator,
  iteratorObject,
  stream,
];

/** What an operator is given. */
export interface OperatorSetting {
  /** A source of its own, besides the one in front of it. */
  other(): IterSource<number>;
  /** Called in the functions that the operator is given. */
  onCall(): void;
}

/** One operator, as a stage of a pipeline. */
export interface Operator {
  readonly name: string;
  /** How many items it takes for `count` to come out; NaN if it reads ahead. */
  readonly takes: (count: number) => number;
  /** Whether it calls a function. */
  readonly calls: boolean;
  apply(
    source: AsyncIter<unknown>,
    setting: OperatorSetting,
  ): AsyncIter<unknown>;
}

const AHEAD = (): number => NaN;

function operator(
  name: string,
  apply: Operator["apply"],
  options: { takes?: Operator["takes"]; calls?: boolean } = {},
): Operator {
  const { takes = (count) => count, calls = false } = options;
  return { name, takes, calls, apply };
}

/** All operators. */
export const OPERATORS: readonly Operator[] = [
  operator("map", (it, s) =>
    it.map((n) => {
      s.onCall();
      return n;
    }), { calls: true }),
  operator("map to a promise", (it, s) =>
    it.map(async (n) => {
      await sleep(1);
      s.onCall();
      return n;
    }), { calls: true }),
  operator("filter", (it, s) =>
    it.filter(() => {
      s.onCall();
      return true;
    }), { calls: true }),
  operator("filter by a promise", (it, s) =>
    it.filter(async () => {
      await sleep(1);
      s.onCall();
      return true;
    }), { calls: true }),
  operator("take", (it) => it.take(500)),
  operator("drop", (it) => it.drop(2), { takes: (count) => count + 2 }),
  operator("takeWhile", (it, s) =>
    it.takeWhile(() => {
      s.onCall();
      return true;
    }), { calls: true }),
  operator("dropWhile", (it, s) =>
    it.dropWhile((_, index) => {
      s.onCall();
      return index < 1;
    }), { calls: true, takes: (count) => count + 1 }),
  operator("tap", (it, s) => it.tap(() => s.onCall()), { calls: true }),
  operator("enumerate", (it) => it.enumerate()),
  operator("batch", (it) => it.batch(2), { takes: (count) => 2 * count }),
  operator("batch by time", (it) => it.batch(2, { withinMs: 50 }), {
    takes: (count) => 2 * count,
  }),
  operator("flatMap", (it, s) =>
    it.flatMap((n) => {
      s.onCall();
      return [n];
    }), { calls: true }),
  operator("flatMap to a source", (it, s) =>
    it.flatMap((n) => {
      s.onCall();
      return iter(s.other()).map(() => n);
    }), { calls: true }),
  operator("switchMap", (it, s) =>
    it.switchMap((n) => {
      s.onCall();
      return iter(s.other()).map(() => n);
    }), { calls: true, takes: AHEAD }),
  operator("concat", (it, s) => it.concat(s.other())),
  operator("merge", (it, s) => it.merge(s.other())),
  operator("zip", (it, s) => it.zip(s.other())),
  operator("combineLatest", (it, s) => it.combineLatest(s.other())),
  operator("buffered", (it) => it.buffered(0)),
  operator("buffered ahead", (it) => it.buffered(3), { takes: AHEAD }),
  operator("debounce", (it) => it.debounce(0), { takes: AHEAD }),
  operator("throttle", (it) => it.throttle(1), { takes: AHEAD }),
  operator("timeoutEach", (it) => it.timeoutEach(1000)),
  operator("map, one ahead", (it, s) =>
    it.map(async (n) => {
      await sleep(1);
      s.onCall();
      return n;
    }, { buffer: 1 }), { calls: true, takes: AHEAD }),
  operator("map, three at a time", (it, s) =>
    it.map(async (n) => {
      await sleep(1);
      s.onCall();
      return n;
    }, { concurrency: 3 }), { calls: true, takes: AHEAD }),
  operator("map, as they come", (it, s) =>
    it.map(async (n) => {
      await sleep(1);
      s.onCall();
      return n;
    }, { concurrency: 3, ordered: false }), { calls: true, takes: AHEAD }),
  operator("share", (it) => it.share()),
  operator("tee", (it) => it.tee(1)[0] as AsyncIter<unknown>),
];
