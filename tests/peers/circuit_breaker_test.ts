/**
 * What breakers and bulkheads on npm get wrong, shown with the packages
 * themselves, and what ours do in their place.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { Bulkhead } from "@ilmek/async/bulkhead";
import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitOpenError,
} from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { Timeout } from "@ilmek/async/timeout-policy";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import {
  BrokenCircuitError,
  bulkhead,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleType,
} from "cockatiel";
import Opossum from "opossum";

const OPEN_MS = 100;

const down = () => Promise.reject(new RangeError("down"));
const ok = () => Promise.resolve("ok");

/** A breaker of cockatiel that opens at the first `RangeError`. */
function theirs() {
  return circuitBreaker(handleType(RangeError), {
    halfOpenAfter: OPEN_MS,
    breaker: new ConsecutiveBreaker(1),
  });
}

/** Ours, which does the same. */
function ours(options: CircuitBreakerOptions = {}): CircuitBreaker {
  return new CircuitBreaker({
    consecutiveFailures: 1,
    openMs: OPEN_MS,
    jitter: 0,
    probes: 1,
    ...options,
  });
}

/** Work that takes so long in fake time, and stops when it is told to. */
function work(ms: number, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve("late"), ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("It was aborted", "AbortError"));
    });
  });
}

/** Lets so much fake time pass, in steps. */
async function pass(time: FakeTime, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 10) await time.tickAsync(10);
}

Deno.test("cockatiel 4.0.0 closes the circuit when a probe is cancelled", async () => {
  using time = new FakeTime();
  const breaker = theirs();
  await breaker.execute(down).catch(() => {});
  await pass(time, OPEN_MS);
  const controller = new AbortController();
  const probe = breaker.execute(
    ({ signal }) => work(1000, signal),
    controller.signal,
  ).catch(() => {});
  await pass(time, 10);

  controller.abort();
  await probe;

  assertEquals(breaker.state, CircuitState.Closed);
});

Deno.test("CircuitBreaker learns nothing from a probe that is cancelled", async () => {
  await runVirtual(async () => {
    const breaker = ours();
    await breaker.run(down).catch(() => {});
    await sleep(OPEN_MS);
    const probe = createTask(() => breaker.run(() => sleep(1000)));
    await sleep(10);

    probe.cancel();
    await probe.toPromise().catch(() => {});

    assertEquals(breaker.state, "half-open");
  });
});

Deno.test("cockatiel 4.0.0 lets a call from before open a circuit that is half-open", async () => {
  using time = new FakeTime();
  const breaker = theirs();
  const late = breaker.execute(() => work(OPEN_MS + 50).then(down))
    .catch(() => {});
  await breaker.execute(down).catch(() => {});
  await pass(time, OPEN_MS);
  const probe = breaker.execute(() => work(1000));
  await pass(time, 60);
  await late;

  assertEquals(breaker.state, CircuitState.Open);
  await pass(time, 1000);
  await probe;
});

Deno.test("CircuitBreaker ignores a call from before while it probes", async () => {
  await runVirtual(async () => {
    const breaker = ours();
    const late = createTask(() =>
      breaker.run(() => sleep(OPEN_MS + 50).then(down))
    );
    await sleep(0);
    await breaker.run(down).catch(() => {});
    await sleep(OPEN_MS);
    const probe = createTask(() => breaker.run(() => sleep(1000)));
    await assertRejects(() => late, RangeError);

    assertEquals(breaker.state, "half-open");
    await probe;
    assertEquals(breaker.state, "closed");
  });
});

Deno.test("cockatiel 4.0.0 keeps callers waiting for a probe beyond their deadlines", async () => {
  using time = new FakeTime();
  const breaker = theirs();
  await breaker.execute(down).catch(() => {});
  await pass(time, OPEN_MS);
  const probe = breaker.execute(() => work(1000));
  const controller = new AbortController();
  let settled = 0;
  const callers = Array.from(
    { length: 100 },
    () =>
      breaker.execute(ok, controller.signal)
        .catch(() => {})
        .finally(() => settled++),
  );
  await pass(time, 50);

  controller.abort();
  await pass(time, 500);

  assertEquals(settled, 0);
  await pass(time, 500);
  await Promise.all([probe, ...callers]);
});

Deno.test("CircuitBreaker refuses at once while it probes, and ends waits by their deadlines", async () => {
  await runVirtual(async () => {
    for (const waitMs of [0, 10_000]) {
      const breaker = ours({ waitMs });
      await breaker.run(down).catch(() => {});
      await sleep(OPEN_MS);
      const probe = createTask(() => breaker.run(() => sleep(1000)));
      await sleep(0);
      const call = () => timeout(50, () => breaker.run(ok));

      const ends = await gather(Array.from({ length: 100 }, () => call), {
        returnExceptions: true,
      });
      assertEquals(new Set(ends.map((end) => (end as Error).name)).size, 1);
      assert(probe.done === false);
      await probe;
    }
  });
});

Deno.test("cockatiel 4.0.0 stays open for an hour when the clock is set back", async () => {
  const breaker = theirs();
  await breaker.execute(down).catch(() => {});
  const { now } = Date;
  try {
    // It is a second later, and the clock was set back by an hour meanwhile.
    Date.now = () => now() + OPEN_MS * 10 - 3_600_000;

    await assertRejects(() => breaker.execute(ok), BrokenCircuitError);
  } finally {
    Date.now = now;
  }
});

Deno.test("CircuitBreaker does not look at the time of day", async () => {
  await runVirtual(async () => {
    const breaker = ours();
    await breaker.run(down).catch(() => {});
    const { now } = Date;
    try {
      Date.now = () => now() - 3_600_000;
      await sleep(OPEN_MS);

      assertEquals(await breaker.run(ok), "ok");
    } finally {
      Date.now = now;
    }
  });
});

Deno.test("opossum 10.0.0 opens at the first failure of all", async () => {
  const breaker = new Opossum(down, { timeout: false });
  try {
    await breaker.fire().catch(() => {});

    assertEquals(breaker.opened, true);
  } finally {
    breaker.shutdown();
  }
});

Deno.test("CircuitBreaker does not judge before it has seen enough", async () => {
  await runVirtual(async () => {
    const breaker = new CircuitBreaker();
    for (let i = 0; i < 19; i++) await breaker.run(down).catch(() => {});
    assertEquals(breaker.state, "closed");

    await breaker.run(down).catch(() => {});
    assertEquals(breaker.state, "open");
    await assertRejects(() => breaker.run(ok), CircuitOpenError);
  });
});

Deno.test("opossum 10.0.0 runs 5 calls at a capacity of 1, once they have timed out", async () => {
  using time = new FakeTime();
  let [running, most] = [0, 0];
  const breaker = new Opossum(async () => {
    most = Math.max(most, ++running);
    await work(1000);
    running--;
  }, {
    timeout: 10,
    capacity: 1,
    errorThresholdPercentage: 100,
    volumeThreshold: 99,
  });

  for (let i = 0; i < 5; i++) {
    const call = breaker.fire().catch(() => {});
    await pass(time, 20);
    await call;
  }

  assertEquals(most, 5);
  await pass(time, 1000);
  breaker.shutdown();
});

Deno.test("Bulkhead holds its slot until work has ended that has timed out", async () => {
  await runVirtual(async () => {
    const policy = compose(
      new Bulkhead({ slots: 1 }),
      new Timeout(10, { mode: "detach" }),
    );
    let [running, most] = [0, 0];
    for (let i = 0; i < 5; i++) {
      const call = policy.run(async () => {
        most = Math.max(most, ++running);
        await uncancellable(() => sleep(1000));
        running--;
      });
      await call.catch(() => {});
    }

    assertEquals(most, 1);
    await sleep(1000);
  });
});

Deno.test("cockatiel 4.0.0 lets a call wait for its slot after it was aborted", async () => {
  using time = new FakeTime();
  const door = bulkhead(1, 10);
  const first = door.execute(() => work(500));
  const controller = new AbortController();
  let isSettled = false;
  const second = door.execute(ok, controller.signal)
    .catch(() => {})
    .finally(() => isSettled = true);
  await pass(time, 10);

  controller.abort();
  await pass(time, 400);

  assertEquals(isSettled, false);
  await pass(time, 100);
  await Promise.all([first, second]);
});

Deno.test("Bulkhead lets a call that was aborted leave the line at once", async () => {
  await runVirtual(async () => {
    const door = new Bulkhead({ slots: 1, maxQueue: 10 });
    const first = createTask(() => door.run(() => sleep(500)));
    await sleep(0);
    const controller = new AbortController();
    const second = door.run(ok, { signal: controller.signal });
    const seen = assertRejects(() => second, RangeError);
    assertEquals(door.waiting, 1);

    controller.abort(new RangeError("enough"));
    await seen;
    assertEquals([door.active, door.waiting], [1, 0]);
    await first;
  });
});
