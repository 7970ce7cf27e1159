import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { CancelledError } from "@ilmek/async/errors";
import { any, race } from "@ilmek/async/race";
import { withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

/** Sleeps, then throws. */
async function failAfter(ms: number, message: string): Promise<never> {
  await sleep(ms);
  throw new TypeError(message);
}

testClean(
  "race() gives the first value, and cancels the others",
  async ({ virtual }) => {
    const log: string[] = [];

    const first = await race([
      () => sleep(100).catch((error) => log.push(error.kind)),
      () => sleep(1, { value: "quick" }),
    ]);

    assertEquals([first, log, virtual.now], ["quick", ["given-up"], 1]);
  },
);

testClean("race() throws the first error", async () => {
  await assertRejects(
    () => race([() => sleep(100), () => failAfter(1, "first")]),
    TypeError,
    "first",
  );
});

testClean(
  "race() waits for the end of the others, cleanup included",
  async ({ virtual }) => {
    await race([
      async () => {
        try {
          await sleep(100);
        } finally {
          await uncancellable(() => sleep(10));
        }
      },
      () => sleep(1),
    ]);

    assertEquals(virtual.now, 11);
  },
);

testClean(
  "race() of functions that are ready gives the first of the list",
  async () => {
    assertEquals(await race([() => "a", () => "b"]), "a");
  },
);

testClean(
  "race() reports what a loser throws while it ends",
  async ({ reports }) => {
    await race([
      () =>
        sleep(100).catch(() => {
          throw new TypeError("loser");
        }),
      () => sleep(1),
    ]);

    assertEquals(`${reports[0]?.exception}`, "TypeError: loser");
    assertEquals(takeMessages(reports).length, 1);
  },
);

testClean("race() gives falsy values as they are", async () => {
  assertEquals(await race([() => undefined]), undefined);
  assertEquals(await race([() => 0, () => sleep(1)]), 0);
});

testClean(
  "race() that is cancelled cancels all, and waits",
  async ({ virtual }) => {
    const log: string[] = [];
    const linger = async () => {
      try {
        await sleep(Infinity);
      } finally {
        await uncancellable(() => sleep(10));
        log.push(`gone at ${virtual.now}`);
      }
    };

    await assertRejects(
      () => timeout(5, () => race([linger, linger])),
      TimeoutError,
    );

    assertEquals(log, ["gone at 15", "gone at 15"]);
  },
);

testClean(
  "race() keeps a value that came before the cancellation",
  async () => {
    const racer = createTask(() =>
      race([
        () => sleep(5, { value: "won" }),
        async () => {
          try {
            await sleep(Infinity);
          } finally {
            await uncancellable(() => sleep(10));
          }
        },
      ])
    );
    await sleep(7);

    racer.cancel();

    assertEquals(await racer, "won");
  },
);

testClean(
  "race() in a cancelled scope throws, and begins nothing",
  async () => {
    const log: string[] = [];
    await withScope(async (scope) => {
      scope.cancel();
      const error = await assertRejects(() => race([() => log.push("no")]));
      assertStrictEquals(error, scope.error);
    });

    assertEquals(log, []);
  },
);

testClean(
  "race() rejects anything but a list of functions, and begins none",
  async () => {
    const log: string[] = [];
    const fn = () => log.push("no");

    await assertRejects(
      () => race([]),
      RangeError,
      'Cannot run a race as "fns" must hold at least one function: it is empty',
    );
    await assertRejects(
      () => race([fn, Promise.resolve()] as never),
      TypeError,
      "pass the function, not what it returned",
    );
    await assertRejects(
      () => race(fn as never),
      TypeError,
      'Cannot run a race as "fns" must be a list of functions',
    );
    await sleep(1);

    assertEquals(log, []);
  },
);

testClean(
  "race() gives the cancellation of a function that cancelled itself",
  async () => {
    const own = new CancelledError("own");

    const error = await assertRejects(() => race([() => Promise.reject(own)]));

    assertStrictEquals(error, own);
  },
);

testClean(
  "any() gives the first success, and cancels the others",
  async ({ virtual }) => {
    const log: string[] = [];

    const first = await any([
      () => failAfter(1, "down"),
      () => sleep(2, { value: "up" }),
      () => sleep(100).catch((error) => log.push(error.kind)),
    ]);

    assertEquals([first, log, virtual.now], ["up", ["given-up"], 2]);
  },
);

testClean(
  "any() throws all errors in the order of failure if none succeeds",
  async () => {
    const error = await assertRejects(
      () => any([() => failAfter(2, "second"), () => failAfter(1, "first")]),
      AggregateError,
      "Cannot give a value: all 2 functions have failed",
    );

    assertEquals(error.errors.map(String), [
      "TypeError: first",
      "TypeError: second",
    ]);
  },
);

testClean(
  "any() that is cancelled throws the cancellation, not the failures",
  async () => {
    await assertRejects(
      () => timeout(5, () => any([() => failAfter(1, "x"), () => sleep(100)])),
      TimeoutError,
    );
  },
);

testClean(
  "any() takes a function that was cancelled for a failure",
  async () => {
    const error = await assertRejects(
      () => any([() => Promise.reject(new CancelledError("own"))]),
      AggregateError,
    );

    assertInstanceOf(error.errors[0], CancelledError);
  },
);

testClean("any() rejects anything but a list of functions", async () => {
  await assertRejects(
    () => any([]),
    RangeError,
    'Cannot run any as "fns" must hold at least one function',
  );
  await assertRejects(() => any([1 as never]), TypeError, '"fn" must be');
});
