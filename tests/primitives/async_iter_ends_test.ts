/**
 * Whatever way a loop is left, at whatever stage: every source is ended, once.
 */
import { iter } from "@ilmek/async/async-iter";
import { isCancelled } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { takeMessages, testClean } from "../_leaks.ts";
import {
  asyncGenerator,
  KINDS,
  type Operator,
  OPERATORS,
  Probe,
  SourceError,
  type SourceKind,
  type SourcePlan,
} from "./_iter_probe.ts";

/** Builds a pipeline of some operators, and gives what its sources have seen. */
function pipeline(
  operators: readonly Operator[],
  kind: SourceKind,
  options: { plan?: SourcePlan; onCall?: () => void } = {},
) {
  const { plan = {}, onCall = () => {} } = options;
  const probe = new Probe();
  const others: Probe[] = [];
  const other = () => {
    const added = new Probe();
    others.push(added);
    return asyncGenerator.make(added);
  };
  let source = iter<unknown>(kind.make(probe, plan));
  for (const { apply } of operators) {
    source = apply(source, { other, onCall });
  }
  return { source, probe, others };
}

/** Asserts that whatever was begun has ended, once. */
function assertEnded(
  { probe, others }: Pick<ReturnType<typeof pipeline>, "probe" | "others">,
  what: string,
): void {
  assertEquals(probe.opens, 1, what);
  for (const { opens, ends, overlaps } of [probe, ...others]) {
    assertEquals(ends, opens, what);
    assertEquals(overlaps, 0, what);
  }
}

for (const kind of KINDS) {
  testClean(
    `AsyncIter ends ${kind.name} once when a loop is left early`,
    async () => {
      for (const operator of OPERATORS) {
        const what = operator.name;
        const built = pipeline([operator], kind);

        let items = 0;
        for await (const _ of built.source) {
          items++;
          break;
        }

        assertEquals(items, 1, what);
        assertEnded(built, what);
        const pulls = operator.takes(1);
        if (!Number.isNaN(pulls)) assertEquals(built.probe.pulls, pulls, what);
      }
    },
  );

  testClean(
    `AsyncIter ends ${kind.name} once when the loop fails`,
    async () => {
      for (const operator of OPERATORS) {
        const built = pipeline([operator], kind);

        await assertRejects(
          async () => {
            for await (const _ of built.source) throw new RangeError("body");
          },
          RangeError,
          "body",
          operator.name,
        );

        assertEnded(built, operator.name);
      }
    },
  );

  testClean(
    `AsyncIter ends ${kind.name} once when it goes on to the end`,
    async () => {
      for (const operator of OPERATORS) {
        const built = pipeline([operator], kind, { plan: { items: 4 } });

        await built.source.toArray();

        assertEnded(built, operator.name);
      }
    },
  );

  testClean(
    `AsyncIter throws what ${kind.name} throws, and ends the others`,
    async () => {
      for (const operator of OPERATORS) {
        const built = pipeline([operator], kind, { plan: { failsAt: 3 } });

        await assertRejects(
          () => built.source.toArray(),
          SourceError,
          "source",
          operator.name,
        );

        assertEnded(built, operator.name);
      }
    },
  );

  testClean(
    `AsyncIter ends ${kind.name} once when a function fails`,
    async ({ reports }) => {
      for (const operator of OPERATORS.filter(({ calls }) => calls)) {
        const built = pipeline([operator], kind, {
          onCall() {
            throw new RangeError("function");
          },
        });

        await assertRejects(
          () => built.source.toArray(),
          RangeError,
          "function",
          operator.name,
        );

        assertEnded(built, operator.name);
        // Calls that fail at the same time are told of, but only one is thrown.
        const told = new Set(takeMessages(reports));
        told.delete("Cannot throw an error of map(): another came first");
        assertEquals([...told], [], operator.name);
      }
    },
  );

  testClean(
    `AsyncIter ends ${kind.name} once when the loop's body is cancelled`,
    async () => {
      for (const operator of OPERATORS) {
        const built = pipeline([operator], kind);

        await assertRejects(
          () =>
            timeout(500, async () => {
              for await (const _ of built.source) await sleep(10_000);
            }),
          TimeoutError,
          undefined,
          operator.name,
        );

        assertEnded(built, operator.name);
      }
    },
  );

  testClean(
    `AsyncIter ends ${kind.name} if it is left before the first item`,
    async () => {
      for (const operator of OPERATORS) {
        const built = pipeline([operator], kind);

        await built.source[Symbol.asyncIterator]().return?.();

        assertEquals(built.probe.pulls, 0, operator.name);
      }
    },
  );
}

for (const kind of KINDS.filter(({ waits }) => waits)) {
  testClean(
    `AsyncIter ends ${kind.name} once when it is cancelled while it waits`,
    async () => {
      for (const operator of OPERATORS) {
        for (const ms of [0.5, 1.5, 2.5]) {
          const built = pipeline([operator], kind, { plan: { ms: 1 } });

          await assertRejects(
            () => timeout(ms, () => built.source.last()),
            TimeoutError,
            undefined,
            operator.name,
          );

          assertEnded(built, `${operator.name}, ${ms} ms`);
        }
      }
    },
  );

  testClean(
    `AsyncIter ends ${kind.name} once when an item is waited for no more`,
    async () => {
      for (const operator of OPERATORS) {
        const built = pipeline([operator], kind, { plan: { ms: 100 } });
        const run = built.source[Symbol.asyncIterator]();

        const next = run.next().catch((error) => error);
        await sleep(50);
        await run.return?.();
        const answer = await next;

        assert(answer.done !== undefined || isCancelled(answer), operator.name);
        assertEnded(built, operator.name);
        assertEquals((await run.next()).done, true, operator.name);
      }
    },
  );
}

/** How many items of the source each stage of the whole pipeline takes. */
const STAGES = OPERATORS.filter(({ name }) => name !== "debounce");

testClean(
  "AsyncIter ends all sources when a loop over any stage is left",
  async () => {
    for (let count = 1; count <= STAGES.length; count++) {
      const stages = STAGES.slice(0, count);
      const what = `up to ${stages.at(-1)?.name}`;
      const built = pipeline(stages, asyncGenerator, { plan: { items: 1000 } });

      let items = 0;
      for await (const _ of built.source) {
        items++;
        break;
      }

      assertEquals(items, 1, what);
      assertEnded(built, what);
      const pulls = stages.reduceRight((count, { takes }) => takes(count), 1);
      if (!Number.isNaN(pulls)) assertEquals(built.probe.pulls, pulls, what);
    }
  },
);

testClean(
  "AsyncIter ends all sources when a loop over any stage is cancelled",
  async () => {
    for (let count = 1; count <= STAGES.length; count++) {
      const stages = STAGES.slice(0, count);
      const what = `up to ${stages.at(-1)?.name}`;
      for (const ms of [3, 20.5]) {
        const built = pipeline(stages, asyncGenerator, {
          plan: { items: 1000 },
        });

        await timeout(ms, async () => {
          for await (const _ of built.source) await sleep(2);
        }).catch((error) => {
          if (!(error instanceof TimeoutError)) throw error;
        });

        assertEnded(built, what);
      }
    }
  },
);

testClean(
  "AsyncIter ends all sources when the source fails behind any stage",
  async () => {
    for (let count = 1; count <= STAGES.length; count++) {
      const stages = STAGES.slice(0, count).filter(({ name }) =>
        name !== "take"
      );
      if (stages.length === 0) continue;
      const what = `up to ${stages.at(-1)?.name}`;
      const built = pipeline(stages, asyncGenerator, { plan: { failsAt: 40 } });

      const error = await built.source.toArray().catch((error) => error);

      assert(error instanceof SourceError || Array.isArray(error), what);
      assertEnded(built, what);
    }
  },
);
