import { assert, assertEquals } from "@std/assert";
import { pipeline } from "@ilmek/async/pipeline";
import { sleep } from "@ilmek/async/sleep";
import { timeout } from "@ilmek/async/timeout";
import { TimeoutError } from "@ilmek/async/errors";
import { simulate, type Simulation } from "./_harness.ts";

const ITEMS = 60;

class ItemError extends Error {}

/** Items that come at random, and whether their source was closed. */
class Source {
  readonly simulation: Simulation;
  readonly items = Array.from({ length: ITEMS }, (_, id) => id);
  taken = 0;
  open = false;

  constructor(simulation: Simulation) {
    this.simulation = simulation;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    this.open = true;
    try {
      for (const item of this.items) {
        if (this.simulation.chance(0.3)) await sleep(this.simulation.gap(3));
        this.taken++;
        yield item;
      }
    } finally {
      this.open = false;
    }
  }
}

simulate(
  "Pipeline gives what a loop would give, in order",
  async (simulation) => {
    const source = new Source(simulation);
    const bad = new Set(source.items.filter(() => simulation.chance(0.1)));
    const failed: number[] = [];
    const size = simulation.int(1, 5);
    let inside = 0;
    let done = 0;
    const how = () => ({
      concurrency: simulation.int(1, 4),
      capacity: simulation.int(1, 3),
    });
    const first = how();

    const batches = await pipeline(source)
      .map(async (item) => {
        assert(++inside <= first.concurrency);
        if (simulation.chance(0.8)) await sleep(simulation.gap(4));
        inside--;
        if (bad.has(item)) throw new ItemError();
        return item * 2;
      }, {
        ...first,
        onError: (error, item) => {
          assert(error instanceof ItemError);
          failed.push(item);
        },
      })
      .filter(async (item) => {
        await sleep(simulation.gap(2));
        return item % 3 !== 0;
      }, how())
      .batch(size)
      .tap(async (batch) => {
        await sleep(simulation.gap(2));
        done += batch.length;
      })
      .toArray();

    const wanted = source.items
      .filter((item) => !bad.has(item))
      .map((item) => item * 2)
      .filter((item) => item % 3 !== 0);
    assertEquals(batches.flat(), wanted);
    assert(batches.slice(0, -1).every((batch) => batch.length === size));
    assertEquals(failed.toSorted((a, b) => a - b), [...bad]);
    assertEquals([done, source.open, inside], [wanted.length, false, 0]);
  },
);

simulate(
  "Pipeline gives each item once, whoever is quick",
  async (simulation) => {
    const source = new Source(simulation);

    const items = await pipeline(source)
      .map((item) => sleep(simulation.gap(5), { value: item }), {
        concurrency: simulation.int(1, 6),
        ordered: false,
      })
      .toArray();

    assertEquals(items.toSorted((a, b) => a - b), source.items);
  },
);

simulate(
  "Pipeline leaves nothing behind when it fails or is cancelled",
  async (simulation) => {
    const source = new Source(simulation);
    const culprit = simulation.int(0, ITEMS - 1);
    const limitMs = simulation.chance(0.5) ? simulation.gap(60) : null;
    let inside = 0;
    const given: number[] = [];

    try {
      await timeout(limitMs, () =>
        pipeline(source)
          .map(async (item) => {
            inside++;
            try {
              await sleep(simulation.gap(5));
            } finally {
              inside--;
            }
            if (item === culprit) throw new ItemError();
            return item;
          }, { concurrency: 3 })
          .to((item) => void given.push(item)));
    } catch (error) {
      assert(error instanceof ItemError || error instanceof TimeoutError);
    }

    assertEquals([inside, source.open], [0, false]);
    assertEquals(given, source.items.slice(0, given.length));
    assert(given.length <= culprit);
  },
);
