/**
 * `AsyncIter` cancelled at each of its wait points, and in any interleaving.
 */
import { iter } from "@ilmek/async/async-iter";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { explore } from "@ilmek/async/explore";
import { channelFrom } from "@ilmek/async/generator";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { assert, assertEquals } from "@std/assert";
import {
  asyncGenerator,
  iteratorObject,
  OPERATORS,
  Probe,
} from "./_iter_probe.ts";

for (const kind of [asyncGenerator, iteratorObject]) {
  Deno.test(`AsyncIter ends ${kind.name} once, wherever it is cancelled`, async () => {
    for (const { name, apply } of OPERATORS) {
      const { points } = await cancelSweep((sweep) => {
        const probes = [new Probe()];
        const other = () => {
          const probe = new Probe();
          probes.push(probe);
          return asyncGenerator.make(probe, { items: 3 });
        };
        const source = apply(
          iter<unknown>(kind.make(probes[0] as Probe, { items: 3 })),
          { other, onCall: () => {} },
        );
        sweep.target(async () => {
          let left = 3;
          for await (const _ of source) {
            await sleep(1);
            if (--left === 0) break;
          }
        });
        sweep.check(() => {
          for (const { opens, ends, overlaps } of probes) {
            assertEquals([ends, overlaps], [opens, 0], name);
          }
        });
      });

      assert(points.length > 3, name);
    }
  });
}

Deno.test("AsyncIter.share() serves those who stay, wherever another is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const probe = new Probe();
    const shared = iter(asyncGenerator.make(probe, { items: 4 }))
      .share({ capacity: 2 });
    const stays = createTask(() => shared.toArray());
    sweep.target(() => shared.toArray(), { name: "a" });
    sweep.target(() => shared.take(2).toArray(), { name: "b" });
    sweep.check(() => assertEquals([probe.opens, probe.ends], [1, 1]));

    assertEquals(await stays, [0, 1, 2, 3]);
  });
});

Deno.test("AsyncIter gives each item once to those who share a loop, wherever one is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const items: (number | undefined)[] = [];
    const probe = new Probe();
    const loop = iter(asyncGenerator.make(probe, { items: 4 }))
      .map((n) => sleep(1, { value: n }))[Symbol.asyncIterator]();
    const work = async () => {
      for (let i = 0; i < 2; i++) items.push((await loop.next()).value);
    };
    // Who is cancelled while it pulls ends the loop; who stands in line does not.
    const cancelled = sweep.target(async () => {
      await sleep(0.5);
      items.push((await loop.next()).value);
    });
    await work();
    await cancelled;
    await loop.return?.();

    const given = items.filter((item) => item !== undefined);
    assertEquals(given, [0, 1, 2].slice(0, given.length));
    assertEquals([probe.ends, probe.overlaps], [1, 0]);
  });
});

Deno.test("channelFrom() ends its generator, wherever its consumer is cancelled", async () => {
  await cancelSweep((sweep) => {
    let open = 0;
    const values = channelFrom(async function* () {
      open++;
      try {
        for (let n = 0; n < 3; n++) {
          await sleep(1);
          yield n;
        }
      } finally {
        open--;
      }
    }, { buffer: 1 });
    sweep.target(() => values.toArray());
    sweep.check(() => assertEquals(open, 0));
  });
});

Deno.test("AsyncIter.map() loses and doubles nothing in any interleaving", async () => {
  for (const ordered of [true, false]) {
    await explore(async () => {
      let active = 0;
      const items = await iter([0, 1, 2, 3, 4, 5]).map(async (n) => {
        assert(++active <= 3);
        await sleep(0);
        active--;
        return n;
      }, { concurrency: 3, ordered, buffer: 1 }).toArray();

      if (!ordered) items.sort();
      assertEquals(items, [0, 1, 2, 3, 4, 5]);
    }, { runs: 200 });
  }
});

Deno.test("AsyncIter.merge() and zip() lose and double nothing in any interleaving", async () => {
  const source = (base: number) =>
    iter(async function* () {
      for (let n = base; n < base + 3; n++) {
        await sleep(0);
        yield n;
      }
    });
  await explore(async () => {
    const merged = await source(0).merge(source(10), source(20)).toArray();
    for (const base of [0, 10, 20]) {
      const own = merged.filter((n) => Math.floor(n / 10) * 10 === base);
      assertEquals(own, [base, base + 1, base + 2]);
    }
    assertEquals(merged.length, 9);
    assertEquals(await source(0).zip(source(10)).toArray(), [
      [0, 10],
      [1, 11],
      [2, 12],
    ]);
  }, { runs: 200 });
});

Deno.test("AsyncIter.tee() gives all items to all in any interleaving", async () => {
  await explore(async () => {
    const branches = iter([0, 1, 2, 3, 4]).tee(3, { capacity: 1 });
    const tasks = branches.map((it) => createTask(() => it.toArray()));
    for (const task of tasks) assertEquals(await task, [0, 1, 2, 3, 4]);
  }, { runs: 200 });
});
