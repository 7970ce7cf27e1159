import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { abortable } from "@ilmek/async/checkpoint";
import { ContextVar } from "@ilmek/async/context-var";
import {
  CancelledError,
  DeadlockError,
  TimeoutError,
} from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { SingleFlight } from "@ilmek/async/single-flight";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { runVirtual } from "@ilmek/async/virtual";
import { takeMessages, testClean } from "../_leaks.ts";

const HOUR_MS = 3_600_000;

testClean(
  "SingleFlight.run() makes one call for all who ask at once",
  async () => {
    const flight = new SingleFlight<string, number>();
    let calls = 0;
    const load = (key: string) =>
      flight.run(key, () => {
        calls++;
        return sleep(5, { value: calls });
      });
    const loads = [load("a"), load("a"), load("b")];
    await sleep(1);
    assertEquals([flight.size, flight.waiting("a"), flight.has("b")], [
      2,
      2,
      true,
    ]);

    assertEquals(await Promise.all(loads), [1, 1, 2]);

    assertEquals([flight.size, await load("a")], [0, 3]);
  },
);

testClean("SingleFlight.share() tells how many got the value", async () => {
  const flight = new SingleFlight<string, number>();
  const load = () => flight.share("key", () => sleep(5, { value: 7 }));

  const [one, two] = await gather([load, load]);

  assertEquals([one, two], [{ value: 7, shared: 2 }, { value: 7, shared: 2 }]);
  assertEquals(await load(), { value: 7, shared: 1 });
});

testClean("an error reaches all who wait, and is not kept", async () => {
  const flight = new SingleFlight<string, number>();
  const fault = new RangeError("load");
  const bad = () =>
    flight.run("key", () => {
      throw fault;
    });

  const errors = await gather([bad, bad], { returnExceptions: true });

  assertStrictEquals(errors[0], fault);
  assertStrictEquals(errors[1], fault);
  assertEquals(await flight.run("key", () => 1), 1);
});

testClean(
  "the first caller's deadline does not end the call for others",
  async () => {
    const flight = new SingleFlight<string, string>();
    let calls = 0;
    const load = () =>
      flight.run("key", () => {
        calls++;
        return sleep(20, { value: "done" });
      });
    const first = createTask(() => timeout(5, load));
    const second = createTask(load);

    await assertRejects(() => first.toPromise(), TimeoutError);

    assertEquals(await second, "done");
    assertEquals(calls, 1);
  },
);

testClean("the call is cancelled when the last caller has left", async () => {
  const flight = new SingleFlight<string, void>();
  let reason: unknown;
  const load = () =>
    flight.run("key", async ({ key, signal }) => {
      assertEquals(key, "key");
      signal.addEventListener("abort", () => reason = signal.reason);
      await sleep(HOUR_MS);
    });
  const controller = new AbortController();
  const first = createTask(load);
  await sleep(1);
  const second = flight.run("key", () => {}, { signal: controller.signal });
  await sleep(1);

  first.cancel();
  assertEquals(reason, undefined);
  controller.abort("enough");

  assertEquals(await second.catch((error) => error), "enough");
  assertInstanceOf(reason, CancelledError);
  assertEquals(reason.kind, "given-up");
});

testClean("a newcomer never joins a call that is about to end", async () => {
  const flight = new SingleFlight<string, string>();
  const first = createTask(() =>
    flight.run("key", async () => {
      await sleep(HOUR_MS);
      return "old";
    })
  );
  await sleep(1);

  first.cancel();
  const second = flight.run("key", () => sleep(1, { value: "new" }));

  assertEquals(await second, "new");
  assertEquals(flight.size, 0);
});

testClean(
  "SingleFlight.forget() keeps an old call from ending a new one",
  async () => {
    const flight = new SingleFlight<string, string>();
    const old = flight.run("key", () => sleep(5, { value: "old" }));
    await sleep(1);

    assert(flight.forget("key"));
    const fresh = flight.run("key", () => sleep(10, { value: "new" }));
    assertEquals(await old, "old");

    assert(flight.has("key"));
    assertEquals(await flight.run("key", () => "third"), "new");
    assertEquals(await fresh, "new");
    assertEquals(flight.forget("key"), false);
  },
);

testClean(
  "each caller gets a copy, if there is a function for that",
  async () => {
    const flight = new SingleFlight<string, number[]>({
      copy: (value) => [...value],
    });
    const load = () => flight.run("key", () => sleep(1, { value: [1] }));

    const [one, two] = await gather([load, load]);

    assertEquals(one, two);
    assert(one !== two);
    const bad = new SingleFlight<string, number>({
      copy: () => {
        throw new RangeError("copy");
      },
    });
    await assertRejects(() => bad.run("key", () => 1), RangeError, "copy");
  },
);

testClean("the call runs in the context of the first caller", async () => {
  const user = new ContextVar<string>("user");
  const flight = new SingleFlight<string, string>();
  const as = (name: string) =>
    createTask(() => {
      user.set(name);
      return flight.run("key", async () => {
        await sleep(1);
        return user.get();
      });
    });

  assertEquals(await gather([as("ada"), as("bob")]), ["ada", "ada"]);
});

testClean("a call that asks for its own key fails", async () => {
  const flight = new SingleFlight<string, number>({ name: "users" });

  const error = await assertRejects(
    () => flight.run("a", () => flight.run("a", () => 1)),
    DeadlockError,
  );

  assertEquals(
    error.message,
    "Cannot join call of users in itself: it would wait for itself",
  );
  assertEquals(await flight.run("a", () => flight.run("b", () => 1)), 1);
});

testClean(
  "a call that fails when all have left is reported",
  async ({ reports }) => {
    const flight = new SingleFlight<string, void>();
    const load = createTask(() =>
      flight.run("key", async () => {
        try {
          await sleep(HOUR_MS);
        } catch {
          throw new RangeError("cleanup");
        }
      })
    );
    await sleep(1);

    load.cancel();
    await sleep(6000);

    assertEquals(takeMessages(reports), [
      'Nobody has looked at task "call of flight", which failed',
    ]);
  },
);

Deno.test("a call of one run is not joined in another", async () => {
  const flight = new SingleFlight<string, string>();
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const one = runVirtual(async () => {
    const mine = createTask(() =>
      flight.run("key", () => sleep(HOUR_MS, { value: "one" }))
    );
    await sleep(1);
    begun.resolve();
    await abortable(over.promise);
    return mine;
  });
  await begun.promise;

  assertEquals(await runVirtual(() => flight.run("key", () => "two")), "two");
  over.resolve();
  assertEquals(await one, "one");
});

Deno.test("a caller that is cancelled anywhere does no harm to the others", async () => {
  await cancelSweep(async (sweep) => {
    const flight = new SingleFlight<string, number>();
    const load = () => flight.run("key", () => sleep(2, { value: 7 }));
    const swept = [sweep.target(load), sweep.target(load)];
    const other = createTask(load);

    assertEquals(await other, 7);
    for (const target of swept) await target;
    assertEquals([flight.size, flight.waiting("key")], [0, 0]);
  });
});

Deno.test("SingleFlight never makes two calls for one key at once, in any order", async () => {
  await explore(async () => {
    const flight = new SingleFlight<number, number>();
    let inside = 0;
    const load = () =>
      flight.run(1, async () => {
        assertEquals(++inside, 1);
        try {
          await sleep(1);
          return 7;
        } finally {
          inside--;
        }
      });
    const tasks = [1, 2, 3].map(() => createTask(load));
    await sleep(0);
    tasks[0]?.cancel();
    const values = await gather(tasks, { returnExceptions: true });

    assertEquals(values.slice(1), [7, 7]);
    assertEquals(flight.size, 0);
  }, { runs: 100 });
});

testClean("SingleFlight refuses what makes no sense", async () => {
  assertThrows(() => new SingleFlight({ copy: 1 as never }), TypeError);
  const flight = new SingleFlight();
  await assertRejects(() => flight.run("key", 1 as never), TypeError);
  await assertRejects(
    () => flight.run("key", () => 1, { signal: AbortSignal.abort(7) }),
  ).catch((error) => assertEquals(error, 7));
  assertEquals(flight.size, 0);
});
