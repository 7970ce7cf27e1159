import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { compose } from "@ilmek/async/compose";
import { CancelledError } from "@ilmek/async/errors";
import { Retry } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { sleep } from "@ilmek/async/sleep";
import { StaleIfError } from "@ilmek/async/stale-if-error";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

const fail = () => Promise.reject(new RangeError("down"));
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined, (error) => error);

testClean(
  "StaleIfError gives the last good value when the work fails",
  async () => {
    const policy = new StaleIfError<number>({ maxAgeMs: 1000 });

    await policy.run(() => 1);
    await policy.run(() => 2);

    assertEquals(await policy.run(fail), 2);
    assertEquals(policy.snapshot(), { size: 1, stale: 1 });
  },
);

testClean(
  "StaleIfError throws the error if there is no value yet",
  async () => {
    const policy = new StaleIfError<number>({ maxAgeMs: 1000 });

    await assertRejects(() => policy.run(fail), RangeError, "down");
  },
);

testClean("StaleIfError throws the error if the value is too old", async () => {
  const policy = new StaleIfError<number>({ maxAgeMs: 100 });
  await policy.run(() => 1);

  await sleep(100);
  assertEquals(await policy.run(fail), 1);
  await sleep(1);

  await assertRejects(() => policy.run(fail), RangeError, "down");
});

testClean("StaleIfError does not grow younger by being given", async () => {
  const policy = new StaleIfError<number>({ maxAgeMs: 100 });
  await policy.run(() => 1);
  await sleep(60);
  await policy.run(fail);
  await sleep(60);

  await assertRejects(() => policy.run(fail), RangeError);
});

testClean("StaleIfError keeps a value for each key", async () => {
  const policy = new StaleIfError<string>({ maxAgeMs: 1000, max: 2 });
  for (const key of ["a", "b"]) await policy.run(() => key, { key });
  await policy.run(fail, { key: "a" });
  await policy.run(() => "c", { key: "c" });

  assertEquals(await policy.run(fail, { key: "a" }), "a");
  await assertRejects(() => policy.run(fail, { key: "b" }), RangeError);
  assertEquals(policy.peek("c")?.value, "c");
  assertEquals([policy.forget("c"), policy.forget("c")], [true, false]);
});

testClean("StaleIfError keeps what is not classed as a failure", async () => {
  const policy = new StaleIfError<number>({
    maxAgeMs: 1000,
    classify: ({ ok }) => ok ? "ignore" : "failure",
  });
  await policy.run(() => 1);

  assertEquals(await policy.run(fail), 1);
});

testClean("StaleIfError does not keep a value that is a failure", async () => {
  const policy = new StaleIfError<number>({
    maxAgeMs: 1000,
    classify: (it) => it.ok && it.value === 503 ? "failure" : undefined,
  });

  assertEquals(await policy.run(() => 503), 503);
  await assertRejects(() => policy.run(fail), RangeError);
});

testClean("StaleIfError passes the caller's cancellation on", async () => {
  const policy = new StaleIfError<unknown>({ maxAgeMs: 1000 });
  await policy.run(() => 1);
  const task = createTask(() => policy.run(() => sleep(1000)));
  await sleep(1);

  task.cancel();

  assertInstanceOf(await caught(task.toPromise()), CancelledError);
});

testClean(
  "StaleIfError outside of a retry stands in for all attempts",
  async () => {
    const stale = new StaleIfError<number>({ maxAgeMs: 1000 });
    const policy = compose(stale, new Retry({ schedule: spaced(1) }));
    await policy.run(() => 1);

    assertEquals(await policy.run(fail), 1);
  },
);

testClean("StaleIfError tells how old what it gives is", async () => {
  const log: unknown[] = [];
  const policy = new StaleIfError<number>({
    maxAgeMs: 1000,
    onStale: ({ ageMs, key, snapshot }) =>
      log.push([ageMs, key, snapshot.stale]),
  });
  await policy.run(() => 1, { key: "a" });
  await sleep(30);

  await policy.run(fail, { key: "a" });

  assertEquals(log, [[30, "a", 1]]);
});

testClean(
  "StaleIfError is as it was made once its values are too old",
  async () => {
    const policy = new StaleIfError<number>({ maxAgeMs: 100 });
    assert(policy.pristine);
    await policy.run(() => 1);
    assert(!policy.pristine);

    await sleep(101);

    assert(policy.pristine);
  },
);

testClean("StaleIfError throws on bad options", () => {
  assertThrows(
    () => new StaleIfError({ maxAgeMs: -1 }),
    RangeError,
    '"maxAgeMs"',
  );
  assertThrows(
    () => new StaleIfError({ maxAgeMs: 1, max: 0 }),
    RangeError,
    '"max"',
  );
});
