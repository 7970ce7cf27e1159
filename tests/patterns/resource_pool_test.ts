import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { ContextVar } from "@ilmek/async/context-var";
import { CancelledError, TimeoutError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import {
  PoolClosedError,
  type PoolLease,
  PoolLeaseError,
  PoolTimeoutError,
  PoolUnavailableError,
  ResourcePool,
  type ResourcePoolOptions,
} from "@ilmek/async/resource-pool";
import { currentScope, withScope } from "@ilmek/async/scope";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { seededRandom } from "../../_internal/random.ts";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { Retry } from "@ilmek/async/retry";
import { spaced } from "@ilmek/async/schedule";
import { takeMessages, testClean } from "../_leaks.ts";

const MINUTE_MS = 60_000;

/** A resource that knows what has become of it. */
interface Item {
  readonly id: number;
  isDestroyed: boolean;
}

/** What exists at the other end, and how much of it there ever was at once. */
class Backend {
  made = 0;
  alive = 0;
  peak = 0;
  /** How long creations and destructions take. */
  createMs = 0;
  destroyMs = 0;
  readonly log: string[] = [];

  readonly create = async (): Promise<Item> => {
    const id = ++this.made;
    this.peak = Math.max(this.peak, ++this.alive);
    try {
      if (this.createMs > 0) await sleep(this.createMs);
    } catch (error) {
      this.alive--;
      throw error;
    }
    this.log.push(`create ${id}`);
    return { id, isDestroyed: false };
  };

  readonly destroy = async (item: Item): Promise<void> => {
    if (this.destroyMs > 0) await sleep(this.destroyMs);
    assert(!item.isDestroyed, `${item.id} is destroyed twice`);
    item.isDestroyed = true;
    this.alive--;
    this.log.push(`destroy ${item.id}`);
  };

  pool(options: ResourcePoolOptions<Item> = {}): ResourcePool<Item> {
    return new ResourcePool(this.create, { destroy: this.destroy, ...options });
  }
}

/** Acquires in a task of its own, which has ended. */
async function hold(pool: ResourcePool<Item>): Promise<PoolLease<Item>> {
  const [lease] = await gather([() => pool.acquire()]);
  return lease;
}

/** Waits, and takes no notice of a cancellation. */
function stubbornly(ms: number): Promise<void> {
  return uncancellable(() => sleep(ms), { graceMs: Infinity });
}

async function idOf(pool: ResourcePool<Item>): Promise<number> {
  return await pool.use(({ id }) => id);
}

testClean("ResourcePool.acquire() creates, and uses again", async () => {
  const backend = new Backend();
  await using pool = backend.pool();

  const first = await pool.acquire();
  assertEquals(first.resource.id, 1);
  assertEquals([pool.size, pool.leased, pool.idle], [1, 1, 0]);
  first.release();
  assertEquals([pool.size, pool.leased, pool.idle], [1, 0, 1]);
  const second = await pool.acquire();
  assertEquals(second.resource.id, 1);
  second.release();
});

testClean("ResourcePool takes a create that does not wait", async () => {
  let count = 0;
  await using pool = new ResourcePool(() => ++count);

  using lease = await pool.acquire();

  assertEquals(lease.resource, 1);
});

testClean("ResourcePool takes falsy resources for what they are", async () => {
  await using pool = new ResourcePool(() => undefined);

  using lease = await pool.acquire();

  assertEquals(lease.resource, undefined);
});

testClean(
  "ResourcePool never has more than max, even while it creates and destroys",
  async () => {
    const backend = new Backend();
    backend.createMs = 5;
    backend.destroyMs = 7;
    await using pool = backend.pool({
      max: 3,
      createConcurrency: 10,
      isFatal: () => true,
    });

    const work = (i: number) => async () => {
      const lease = await pool.acquire();
      await sleep(3);
      lease.release(i % 2 === 0 ? new TypeError("broken") : undefined);
    };
    await gather(Array.from({ length: 30 }, (_, i) => work(i)));

    assertEquals(backend.peak, 3);
    assertEquals(pool.snapshot().acquired, 30);
  },
);

testClean(
  "ResourcePool creates no more than createConcurrency at a time",
  async () => {
    const backend = new Backend();
    backend.createMs = 10;
    await using pool = backend.pool({ max: 6, createConcurrency: 2 });

    const waits = Array.from(
      { length: 6 },
      () => createTask(() => pool.acquire()),
    );
    await sleep(1);
    assertEquals(pool.snapshot().creating, 2);
    const leases = await gather(waits);

    assertEquals(getRunningLoop().time(), 30);
    for (const lease of leases) {
      lease.release();
    }
  },
);

testClean(
  "ResourcePool serves those who wait in the order of their calls",
  async () => {
    await using pool = new Backend().pool({ max: 1 });
    const log: number[] = [];
    const held = await pool.acquire();
    const waits = [1, 2, 3, 4].map((i) =>
      createTask(() =>
        pool.use(async () => {
          log.push(i);
          await sleep(1);
        })
      )
    );
    await sleep(1);

    held.release();
    await gather(waits);

    assertEquals(log, [1, 2, 3, 4]);
  },
);

testClean(
  "ResourcePool gives a newcomer nothing before those who wait",
  async () => {
    await using pool = new Backend().pool({ max: 1 });
    const held = await pool.acquire();
    const waiter = createTask(() => pool.acquire());
    await sleep(0);

    held.release();

    assertEquals(pool.tryAcquire(), undefined);
    (await waiter).release();
  },
);

testClean(
  "ResourcePool.tryAcquire() takes what is idle, and creates nothing",
  async () => {
    await using pool = new Backend().pool();

    assertEquals(pool.tryAcquire(), undefined);
    assertEquals(pool.size, 0);
    (await pool.acquire()).release();
    using lease = pool.tryAcquire();

    assertEquals(lease?.resource.id, 1);
  },
);

testClean(
  "ResourcePool.acquire() leaves the line when its scope is cancelled",
  async () => {
    await using pool = new Backend().pool({ max: 1 });
    const held = await pool.acquire();
    const first = createTask(() => pool.acquire());
    const second = createTask(() => pool.acquire());
    await sleep(0);
    assertEquals(pool.waiting, 2);

    first.cancel();
    await first.outcome();
    assertEquals(pool.waiting, 1);
    held.release();

    (await second).release();
  },
);

testClean(
  "ResourcePool.acquire() ends with its signal, before and during the wait",
  async () => {
    await using pool = new Backend().pool({ max: 1 });
    const held = await hold(pool);
    const reason = new TypeError("enough");
    const { signal: before } = abortedBy(reason);
    assertEquals(
      await assertRejects(() => pool.acquire({ signal: before })),
      reason,
    );
    const during = new AbortController();

    const wait = pool.acquire({ signal: during.signal });
    during.abort(reason);

    assertEquals(await assertRejects(() => wait), reason);
    assertEquals(pool.waiting, 0);
    held.release();
    assertEquals(pool.idle, 1);
  },
);

testClean("a lease that was granted survives a later cancel", async () => {
  await using pool = new Backend().pool({ max: 1 });
  const held = await pool.acquire();
  let got: PoolLease<Item> | undefined;
  const waiter = createTask(async () => {
    got = await pool.acquire();
    got.release();
  });
  await sleep(0);

  held.release();
  waiter.cancel();
  await waiter.outcome();

  assert(got !== undefined);
  assertEquals(pool.idle, 1);
});

testClean(
  "ResourcePool.acquire() in a cancelled scope changes nothing",
  async () => {
    await using pool = new Backend().pool();

    await withScope(async (scope) => {
      scope.cancel();
      await assertRejects(() => pool.acquire(), CancelledError);
    });

    assertEquals([pool.size, pool.waiting], [0, 0]);
  },
);

testClean(
  "a caller that gives up leaves its creation to the next",
  async () => {
    const backend = new Backend();
    backend.createMs = 100;
    await using pool = backend.pool({ max: 1 });
    await assertRejects(() => timeout(10, () => pool.acquire()), TimeoutError);

    const lease = await pool.acquire();

    assertEquals(getRunningLoop().time(), 100);
    assertEquals(lease.resource.id, 1);
    assertEquals(backend.made, 1);
    lease.release();
  },
);

testClean(
  "a creation that nobody waits for any more becomes idle",
  async () => {
    const backend = new Backend();
    backend.createMs = 100;
    await using pool = backend.pool();
    await assertRejects(() => timeout(10, () => pool.acquire()), TimeoutError);

    await sleep(100);

    assertEquals(pool.idle, 1);
  },
);

testClean(
  "create runs outside of the scope and the values of those who acquire",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    const seen: unknown[] = [];
    await using pool = new ResourcePool(async () => {
      await sleep(1);
      seen.push(user.get(), currentScope().effectiveDeadline);
      return {};
    });

    await timeout(1000, () => user.run("ada", () => pool.use(() => {})));

    assertEquals(seen, ["nobody", Infinity]);
  },
);

testClean(
  "the function of use() runs in the context of its caller",
  async () => {
    const user = new ContextVar("user", { defaultValue: "nobody" });
    await using pool = new Backend().pool({ max: 1 });
    const held = await pool.acquire();
    const task = user.run(
      "ada",
      () => createTask(() => pool.use(() => user.get())),
    );
    await sleep(0);

    user.run("eve", () => held.release());

    assertEquals(await task, "ada");
  },
);

testClean(
  "ResourcePool.acquire() times out, and says what it looks like",
  async () => {
    await using pool = new Backend().pool({
      name: "db",
      max: 1,
      acquireTimeoutMs: 250,
    });
    using _held = await hold(pool);

    const error = await assertRejects(() => pool.acquire(), PoolTimeoutError);

    assertEquals(getRunningLoop().time(), 250);
    assertEquals(error.ms, 250);
    assertInstanceOf(error, TimeoutError);
    assertEquals(
      error.message,
      'Cannot acquire from the pool "db" in time: 250 ms have passed, 1 of 1 resources are in use, and 0 others wait',
    );
    assertEquals(pool.waiting, 0);
    assertEquals(pool.snapshot().timeouts, 1);
  },
);

testClean("ResourcePool.acquire() takes a time limit of its own", async () => {
  await using pool = new Backend().pool({ max: 1 });
  const held = await hold(pool);

  await assertRejects(() => pool.acquire({ timeoutMs: 5 }), PoolTimeoutError);
  const patient = createTask(() => pool.acquire({ timeoutMs: null }));
  await sleep(31_000);
  held.release();

  (await patient).release();
});

testClean(
  "ResourcePool.use() gives back on success, on failure and on cancel",
  async () => {
    await using pool = new Backend().pool({ max: 1 });

    assertEquals(await pool.use(({ id }) => id), 1);
    await assertRejects(
      () =>
        pool.use(() => {
          throw new TypeError("failed");
        }),
      TypeError,
      "failed",
    );
    await assertRejects(() =>
      timeout(5, () => pool.use(() => sleep(MINUTE_MS)))
    );

    assertEquals([pool.leased, pool.idle], [0, 1]);
    assertEquals(await idOf(pool), 1);
  },
);

testClean("a fatal error destroys the resource, others do not", async () => {
  const backend = new Backend();
  await using pool = backend.pool({
    isFatal: (error) => error instanceof TypeError,
  });

  await assertRejects(() =>
    pool.use(() => Promise.reject(new RangeError("no")))
  );
  assertEquals(await idOf(pool), 1);
  await assertRejects(() =>
    pool.use(() => Promise.reject(new TypeError("no")))
  );

  assertEquals(await idOf(pool), 2);
  assertEquals(backend.log, ["create 1", "destroy 1", "create 2"]);
});

testClean(
  "an isFatal that throws destroys, and is reported",
  async ({ reports }) => {
    await using pool = new Backend().pool({
      isFatal: () => {
        throw new TypeError("what is it?");
      },
    });

    await assertRejects(() => pool.use(() => Promise.reject("failed")));

    assertEquals(await idOf(pool), 2);
    assertEquals(takeMessages(reports), [
      'The "isFatal" of the pool "pool" has thrown',
    ]);
  },
);

testClean(
  "releasing twice does nothing, and is told in debug mode",
  async ({ reports }) => {
    await using pool = new Backend().pool({ max: 1 });
    const first = await pool.acquire();
    first.release();
    const second = await pool.acquire();

    first.release();
    assertEquals([pool.leased, pool.idle], [1, 0]);
    getRunningLoop().debug = true;
    first.release();
    getRunningLoop().debug = false;

    assertEquals(takeMessages(reports), [
      'Cannot release a lease of the pool "pool" twice',
    ]);
    second.release();
  },
);

testClean("a lease that was released cannot be used", async () => {
  await using pool = new Backend().pool();
  const lease = await pool.acquire();
  assertEquals(lease.released, false);
  pool.release(lease);

  assert(lease.released);
  assertThrows(
    () => lease.resource,
    PoolLeaseError,
    'Cannot use a resource of the pool "pool": its lease was released',
  );
});

testClean(
  "using and await using release, also after an early release",
  async () => {
    await using pool = new Backend().pool();
    {
      await using lease = await pool.acquire();
      assertEquals(lease.resource.id, 1);
    }
    {
      using lease = await pool.acquire();
      lease.release();
      lease.release();
    }

    assertEquals(pool.idle, 1);
  },
);

testClean(
  "ResourcePool.release() refuses what is not of this pool",
  async () => {
    await using pool = new Backend().pool({ name: "mine" });
    await using other = new Backend().pool();
    using lease = await other.acquire();

    assertThrows(
      () => pool.release(lease),
      TypeError,
      'Cannot release into the pool "mine" as "lease" must be a lease of it: current value is an object of class PoolLease',
    );
    assertThrows(() => pool.release(lease.resource as never), TypeError);
  },
);

testClean("idle resources are given away last in, first out", async () => {
  await using pool = new Backend().pool();
  const leases = await gather([pool.acquire(), pool.acquire()]);
  for (const lease of leases) lease.release();

  assertEquals([await idOf(pool), await idOf(pool)], [2, 2]);
});

testClean("with fifo idle resources are used in turn", async () => {
  await using pool = new Backend().pool({ order: "fifo" });
  const leases = await gather([pool.acquire(), pool.acquire()]);
  for (const lease of leases) lease.release();

  assertEquals([await idOf(pool), await idOf(pool)], [1, 2]);
});

testClean("ResourcePool keeps its minimum, from the beginning", async () => {
  const backend = new Backend();
  await using pool = backend.pool({
    min: 2,
    idleMs: 1000,
    isFatal: () => true,
  });
  await sleep(0);
  assertEquals(pool.idle, 2);

  const leases = await gather([pool.acquire(), pool.acquire(), pool.acquire()]);
  for (const lease of leases) lease.release();
  await sleep(5000);
  assertEquals(pool.size, 2);
  (await pool.acquire()).release("broken");
  await sleep(0);

  assertEquals(pool.idle, 2);
});

testClean("a resource that is idle for too long is destroyed", async () => {
  const backend = new Backend();
  await using pool = backend.pool();
  await idOf(pool);

  await sleep(600_000 - 1);
  assertEquals(pool.idle, 1);
  await sleep(1);

  assertEquals(pool.size, 0);
  assertEquals(backend.alive, 0);
});

testClean("a resource that is too old is not used again", async () => {
  const backend = new Backend();
  await using pool = backend.pool({ maxLifetimeMs: 1000, random: () => 0 });
  const lease = await pool.acquire();
  await sleep(1000);
  lease.release();
  await sleep(0);
  assertEquals(backend.log, ["create 1", "destroy 1"]);

  assertEquals(await idOf(pool), 2);
  await sleep(999);
  assertEquals(pool.idle, 1);
  await sleep(1);

  assertEquals(pool.size, 0);
});

testClean(
  "lifetimes differ by up to 2.5 percent, so that not all end together",
  async () => {
    const backend = new Backend();
    const draws = [0, 0, 0.99, 0.99];
    await using pool = backend.pool({
      maxLifetimeMs: 100_000,
      idleMs: null,
      random: () => draws.shift() ?? 0,
    });
    const leases = await gather([pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();

    await sleep(97_600);
    assertEquals(pool.size, 1);
    await sleep(2_400);

    assertEquals(pool.size, 0);
  },
);

testClean("a resource is validated if it was not used for 500 ms", async () => {
  let validations = 0;
  await using pool = new Backend().pool({
    validate: () => {
      validations++;
      return true;
    },
  });
  await idOf(pool);
  await sleep(499);
  await idOf(pool);
  assertEquals(validations, 0);

  await sleep(500);
  await idOf(pool);

  assertEquals(validations, 1);
});

testClean("with validateAfterMs 0 each use is validated", async () => {
  let validations = 0;
  const validate = () => ++validations > 0;
  await using pool = new Backend().pool({ validate, validateAfterMs: 0 });

  await idOf(pool);
  await sleep(1);
  await idOf(pool);
  await sleep(1);
  await idOf(pool);

  assertEquals(validations, 2);
});

testClean(
  "a validation that throws takes no place, and nobody's turn",
  async () => {
    const backend = new Backend();
    await using pool = backend.pool({
      max: 1,
      validate: () => {
        throw new RangeError("dead");
      },
      validateAfterMs: 0,
    });
    const first = await idOf(pool);
    await sleep(1);
    const ids = await gather([() => idOf(pool), () => idOf(pool)]);

    assertEquals(ids.includes(first), false);
    assertEquals([pool.size, pool.waiting], [1, 0]);
  },
);

const INVALID: Record<string, () => boolean | Promise<boolean>> = {
  "says no": () => false,
  "says no later": () => sleep(1, { value: false }),
  "throws": () => {
    throw new TypeError("dead");
  },
  "rejects": async () => {
    await sleep(1);
    throw new TypeError("dead");
  },
  "takes too long": () => sleep(MINUTE_MS, { value: true }),
};

for (const [how, validate] of Object.entries(INVALID)) {
  testClean(`a resource whose validation ${how} is replaced`, async () => {
    const backend = new Backend();
    await using pool = backend.pool({ max: 1, validate });
    await idOf(pool);
    await sleep(1000);

    assertEquals(await idOf(pool), 2);
    assertEquals(backend.log, ["create 1", "destroy 1", "create 2"]);
    assertEquals(pool.snapshot().invalid, 1);
  });
}

testClean(
  "one who waits starts no more validations than it needs",
  async () => {
    let validations = 0;
    await using pool = new Backend().pool({
      validate: async () => {
        validations++;
        await sleep(1);
        return true;
      },
    });
    const leases = await gather([1, 2, 3, 4].map(() => () => pool.acquire()));
    for (const lease of leases) lease.release();
    await sleep(1000);

    await idOf(pool);

    assertEquals(validations, 1);
  },
);

testClean("tryAcquire() validates where the answer comes at once", async () => {
  const answers = [true, sleepingYes];
  await using pool = new Backend().pool({
    validate: () => {
      const answer = answers.shift();
      return typeof answer === "function" ? answer() : answer === true;
    },
  });
  await idOf(pool);
  await sleep(1000);
  pool.tryAcquire()?.release();
  assertEquals(pool.snapshot().acquired, 2);
  await sleep(1000);

  assertEquals(pool.tryAcquire(), undefined);
  await sleep(1);
  using lease = pool.tryAcquire();

  assertEquals(lease?.resource.id, 1);
});

testClean(
  "an idle resource is looked at now and then, with keepaliveMs",
  async () => {
    const at: number[] = [];
    await using pool = new Backend().pool({
      keepaliveMs: 1000,
      idleMs: 3500,
      random: () => 0,
      validate: () => {
        at.push(getRunningLoop().time());
        return true;
      },
    });
    await idOf(pool);

    await sleep(10_000);

    assertEquals(at, [1000, 2000, 3000]);
    assertEquals(pool.size, 0);
  },
);

testClean(
  "reset runs before the next use, and a failed one destroys",
  async () => {
    const log: string[] = [];
    await using pool = new Backend().pool({
      max: 1,
      reset: async ({ id }) => {
        await sleep(1);
        log.push(`reset ${id}`);
        if (log.length > 3) throw new TypeError("cannot roll back");
      },
    });
    for (let i = 0; i < 3; i++) {
      log.push(`use ${await idOf(pool)}`);
      assertEquals(pool.idle, 0);
    }

    assertEquals(log, ["use 1", "reset 1", "use 1", "reset 1", "use 2"]);
  },
);

testClean(
  "a failed creation is tried again, after a pause that doubles",
  async () => {
    const at: number[] = [];
    await using pool = new ResourcePool<string>(() => {
      at.push(getRunningLoop().time());
      if (at.length < 3) throw new TypeError("refused");
      return "ready";
    }, { random: () => 1 });

    assertEquals(await pool.use((value) => value), "ready");

    assertEquals(at, [0, 100, 300]);
    assertEquals(pool.snapshot().createFailures, 2);
  },
);

testClean(
  "when all attempts have failed, all who wait get the cause",
  async () => {
    let attempts = 0;
    const cause = new TypeError("refused");
    await using pool = new ResourcePool<string>(async () => {
      attempts++;
      await sleep(1);
      throw cause;
    }, { name: "db", random: () => 1 });

    const errors = await gather(
      Array.from({ length: 1000 }, () => () => pool.acquire()),
      { returnExceptions: true },
    );

    for (const error of errors) {
      assertInstanceOf(error, PoolUnavailableError);
      assertEquals(error.cause, cause);
      assertEquals(error.retryAfterMs, 400);
      assertEquals(
        error.message,
        'Cannot acquire from the pool "db": its resources cannot be created',
      );
    }
    // Two at once, and then one at a time.
    assertEquals(attempts, 4);
    assertEquals(getRunningLoop().time(), 303);
    assert(pool.snapshot().unavailable);
  },
);

testClean(
  "a pool that is unavailable refuses at once, until it tries again",
  async () => {
    let isDown = true;
    let attempts = 0;
    await using pool = new ResourcePool(() => {
      attempts++;
      if (isDown) throw new TypeError("refused");
      return "ready";
    }, { createRetries: 0, random: () => 1 });
    await assertRejects(() => pool.acquire(), PoolUnavailableError);

    await assertRejects(() => pool.acquire(), PoolUnavailableError);
    assertEquals(attempts, 1);
    await sleep(100);
    await assertRejects(() => pool.acquire(), PoolUnavailableError);
    assertEquals(attempts, 2);
    isDown = false;
    await sleep(200);

    assertEquals(await pool.use((value) => value), "ready");
    assertEquals(pool.snapshot().unavailable, false);
  },
);

testClean(
  "who waits for what is in use is not told of failed creations",
  async () => {
    const backend = new Backend();
    let isDown = false;
    await using pool = new ResourcePool(() => {
      if (isDown) throw new TypeError("refused");
      return backend.create();
    }, { max: 2, createRetries: 0, acquireTimeoutMs: 1000 });
    const held = await pool.acquire();
    isDown = true;

    const served = createTask(() => pool.acquire());
    const late = createTask(() => pool.acquire());
    await sleep(500);
    held.release();
    const lease = await served;
    const error = await assertRejects(() => late, PoolTimeoutError);

    assertInstanceOf(error.cause, TypeError);
    lease.release();
  },
);

testClean(
  "a pause holds the line, and no timer is left when it is empty",
  async () => {
    await using pool = new ResourcePool(() => {
      throw new TypeError("refused");
    });
    const waiter = createTask(() => pool.acquire());
    await sleep(1);

    waiter.cancel();
    await waiter.outcome();

    assertEquals(pool.waiting, 0);
  },
);

testClean(
  "a creation that is too slow fails, and its late resource is destroyed",
  async () => {
    const backend = new Backend();
    let calls = 0;
    await using pool = new ResourcePool(async () => {
      if (++calls === 1) await stubbornly(500);
      return await backend.create();
    }, { max: 2, createTimeoutMs: 50, destroy: backend.destroy });
    const lease = await pool.acquire();
    assertEquals(lease.resource.id, 1);
    assertEquals(pool.size, 2);

    await sleep(500);

    assertEquals(backend.log, ["create 1", "create 2", "destroy 2"]);
    assertEquals(pool.size, 1);
    lease.release();
  },
);

testClean("a creation that never ends gives its place up", async () => {
  let calls = 0;
  const pool = new ResourcePool(async () => {
    if (++calls === 1) await stubbornly(MINUTE_MS);
    return calls;
  }, { max: 1, createTimeoutMs: 50, destroyTimeoutMs: 1000 });

  assertEquals(await pool.use((value) => value), 2);

  assertEquals(getRunningLoop().time(), 1050);
  await pool.close();
  await sleep(MINUTE_MS);
});

testClean(
  "a destruction that fails is reported, and frees its place",
  async ({ reports }) => {
    await using pool = new Backend().pool({
      max: 1,
      isFatal: () => true,
      destroy: () => Promise.reject(new TypeError("stuck")),
    });
    (await pool.acquire()).release("broken");

    assertEquals(await idOf(pool), 2);
    await pool.close();
    assertEquals(
      takeMessages(reports),
      Array(2).fill(
        'Cannot destroy a resource of the pool "pool"',
      ),
    );
  },
);

testClean(
  "a destruction that never ends frees its place after a while",
  async ({ reports }) => {
    await using pool = new Backend().pool({
      max: 1,
      isFatal: () => true,
      destroy: ({ id }) => id === 1 ? stubbornly(MINUTE_MS) : undefined,
    });
    (await pool.acquire()).release("broken");

    assertEquals(await idOf(pool), 2);

    assertEquals(getRunningLoop().time(), 5000);
    assertEquals(takeMessages(reports), [
      'Cannot destroy a resource of the pool "pool"',
    ]);
    await sleep(MINUTE_MS);
  },
);

testClean("resources that are disposable are disposed of", async () => {
  const log: string[] = [];
  const kinds = [
    { [Symbol.dispose]: () => void log.push("dispose") },
    {
      [Symbol.asyncDispose]: () => {
        log.push("asyncDispose");
        return Promise.resolve();
      },
    },
  ];
  for (const kind of kinds) {
    await using pool = new ResourcePool(() => kind);
    await pool.use(() => {});
  }

  assertEquals(log, ["dispose", "asyncDispose"]);
});

testClean(
  "a lease that is not released is told of, with its task",
  async ({ reports }) => {
    await using pool = new Backend().pool({ name: "db", leakAfterMs: 1000 });
    const task = createTask(async () => {
      const lease = await pool.acquire();
      await sleep(5000);
      lease.release();
    }, { name: "forgetful" });

    await task;

    const [report] = reports;
    assertStringIncludes(report?.createdAt ?? "", "resource_pool_test.ts");
    assertEquals(takeMessages(reports), [
      'A lease of the pool "db" was not released for 1000 ms: it was acquired by "forgetful"',
    ]);
    assertEquals(pool.snapshot().leaks, 1);
  },
);

testClean(
  "a lease is taken back after maxLeaseMs, and cannot be used any more",
  async () => {
    const backend = new Backend();
    await using pool = backend.pool({ max: 1, maxLeaseMs: 1000 });
    const lease = await hold(pool);

    const next = await pool.acquire();

    assertEquals(getRunningLoop().time(), 1000);
    assertEquals(next.resource.id, 2);
    assertThrows(
      () => lease.resource,
      PoolLeaseError,
      'Cannot use a resource of the pool "pool": it was held longer than 1000 ms',
    );
    lease.release();
    assertEquals(pool.leased, 1);
    next.release();
    assertEquals(pool.snapshot().revoked, 1);
  },
);

testClean(
  "leases of moments that are no whole numbers are looked after",
  async ({ reports }) => {
    let seed = 7;
    const random = () => (seed = seed * 16807 % 2147483647) / 2147483647;
    await using pool = new ResourcePool(() => ({}), {
      max: 200,
      leakAfterMs: 300,
      maxLeaseMs: 700,
    });
    for (let i = 0; i < 200; i++) {
      await createTask(() => pool.acquire(), { name: "holder" }).toPromise();
      await sleep(random());
    }
    await sleep(1000);

    assertEquals([pool.snapshot().leaks, pool.snapshot().revoked], [200, 200]);
    assertEquals(takeMessages(reports).length, 200);
  },
);

testClean(
  "when the process was asleep, idle resources are replaced",
  async ({ virtual }) => {
    const backend = new Backend();
    await using pool = backend.pool();
    await idOf(pool);
    const lease = await pool.acquire();
    assertEquals(await pool.use(({ id }) => id), 2);

    virtual.advance(100_000);
    await sleep(1);

    assertEquals(pool.idle, 0);
    assertEquals(backend.log, ["create 1", "create 2", "destroy 2"]);
    lease.release();
  },
);

testClean(
  "tasks that hold one each and wait for another are told of",
  async ({ reports }) => {
    await using pool = new Backend().pool({
      name: "db",
      max: 2,
      acquireTimeoutMs: 250,
    });
    const greedy = async () => {
      await pool.use(async () => {
        await sleep(1);
        await pool.use(() => {});
      });
    };
    const tasks = ["first", "second"].map((name) =>
      createTask(greedy, { name })
    );

    await assertRejects(() => gather(tasks), PoolTimeoutError);
    await gather(tasks, { returnExceptions: true });

    assertEquals(takeMessages(reports), [
      'Cannot go on: "first" waits for a resource of the pool "db", and so does whoever holds one',
    ]);
  },
);

testClean("in debug mode they are told of at once", async ({ reports }) => {
  await using pool = new Backend().pool({ max: 1 });
  getRunningLoop().debug = true;
  const greedy = createTask(
    () => pool.use(() => pool.use(() => {})),
    { name: "greedy" },
  );
  await sleep(1);
  getRunningLoop().debug = false;

  assertEquals(takeMessages(reports), [
    'Cannot go on: "greedy" waits for a resource of the pool "pool", and so does whoever holds one',
  ]);
  greedy.cancel();
  await greedy.outcome();
});

testClean(
  "those who wait for different times are each due in time",
  async () => {
    await using pool = new Backend().pool({ max: 1, acquireTimeoutMs: 1000 });
    const held = await hold(pool);
    const at: [string, number][] = [];
    const wait = (name: string, timeoutMs?: number) => async () => {
      await assertRejects(
        () => pool.acquire(timeoutMs === undefined ? {} : { timeoutMs }),
        PoolTimeoutError,
      );
      at.push([name, getRunningLoop().time()]);
    };

    await gather([
      wait("usual"),
      wait("short", 10),
      wait("long", 5000),
      async () => {
        await sleep(500);
        await wait("later")();
      },
    ]);

    assertEquals(at, [["short", 10], ["usual", 1000], ["later", 1500], [
      "long",
      5000,
    ]]);
    held.release();
  },
);

testClean(
  "one who waits for a second one is left alone while others go on",
  async () => {
    await using pool = new Backend().pool({ max: 2 });
    const modest = createTask(() => pool.use(() => sleep(10)));
    await pool.use(() => pool.use(() => {}));
    await modest;
  },
);

testClean(
  "ResourcePool.close() refuses, rejects, waits and destroys",
  async () => {
    const backend = new Backend();
    const pool = backend.pool({ max: 2 });
    const held = await pool.acquire();
    const other = await pool.acquire();
    other.release();
    const extra = await pool.acquire();
    const waiter = createTask(() => pool.acquire());
    await sleep(0);

    const closing = createTask(() => pool.close());
    await assertRejects(() => waiter, PoolClosedError);
    await assertRejects(
      () => pool.acquire(),
      PoolClosedError,
      'Cannot acquire from the pool "pool": it was closed',
    );
    assertEquals(pool.tryAcquire(), undefined);
    extra.release();
    await sleep(100);
    held.release();

    assertEquals(await closing, { held: [] });
    assertEquals(getRunningLoop().time(), 100);
    assertEquals(backend.alive, 0);
    assertEquals(pool.size, 0);
    assert(pool.closed);
  },
);

testClean(
  "ResourcePool.close() takes back what is still in use, and tells",
  async () => {
    const backend = new Backend();
    const pool = backend.pool();
    let lease: PoolLease<Item> | undefined;
    const task = createTask(async () => {
      lease = await pool.acquire();
      await sleep(MINUTE_MS);
    }, { name: "slow" });
    await sleep(1);

    const { held } = await pool.close({ graceMs: 1000 });

    assertEquals(held, [{ heldMs: 1001, task: "slow", site: undefined }]);
    assertThrows(
      () => lease?.resource,
      PoolLeaseError,
      'Cannot use a resource of the pool "pool": the pool was closed',
    );
    assertEquals(backend.alive, 0);
    assertEquals(await pool.close(), { held });
    task.cancel();
    await task.outcome();
  },
);

testClean("ResourcePool.close() gives up what is being created", async () => {
  const backend = new Backend();
  backend.createMs = MINUTE_MS;
  const pool = backend.pool();
  const waiter = createTask(() => pool.acquire());
  await sleep(1);

  await pool.close();

  assertEquals(getRunningLoop().time(), 1);
  await assertRejects(() => waiter, PoolClosedError);
});

testClean(
  "ResourcePool.close() runs to its end in a cancelled scope",
  async () => {
    const backend = new Backend();
    backend.destroyMs = 50;
    const pool = backend.pool();
    await idOf(pool);

    await withScope(async (scope) => {
      scope.cancel();
      await pool.close();
    });

    assertEquals(backend.alive, 0);
  },
);

testClean(
  "what a pool refuses was never begun, and says so to policies",
  async () => {
    const down = new RangeError("down");
    const empty = new ResourcePool(() => Promise.reject(down), {
      createRetries: 0,
      name: "empty",
    });
    const full = new ResourcePool(() => ({}), {
      max: 1,
      acquireTimeoutMs: 250,
      name: "full",
    });
    const breaker = new CircuitBreaker({ consecutiveFailures: 1 });
    let tries = 0;
    const once = new Retry({
      idempotent: false,
      onAttempt: () => tries++,
      throwLast: true,
      schedule: spaced(1),
    });
    const stack = compose(once, breaker);
    // Who has one and waits for another would be told of it.
    const other = createTask(() => full.acquire());
    const lease = await other;

    const late = await assertRejects(
      () => stack.run(() => full.acquire()),
      PoolTimeoutError,
    );
    const none = await assertRejects(
      () => empty.acquire(),
      PoolUnavailableError,
    );
    assertEquals([late.rejected, late.policy], [true, "full"]);
    assertEquals([none.rejected, none.policy], [true, "empty"]);
    assertEquals([tries, breaker.state], [3, "closed"]);

    lease.release();
    await full.close();
    await empty.close();
    const closed = await assertRejects(
      () => stack.run(() => full.acquire()),
      PoolClosedError,
    );
    // Nobody comes back to what is closed.
    assertEquals([closed.rejected, tries], [true, 4]);
  },
);

testClean(
  "ResourcePool.snapshot() tells all, and changes nothing",
  async () => {
    await using pool = new Backend().pool({ name: "db", max: 1 });
    const lease = await pool.acquire();
    const waiter = createTask(() => pool.acquire());
    await sleep(3);
    lease.release();
    (await waiter).release();

    const snapshot = pool.snapshot();

    assertEquals(pool.snapshot(), snapshot);
    assertEquals(snapshot, {
      name: "db",
      size: 1,
      idle: 1,
      leased: 0,
      creating: 0,
      checking: 0,
      destroying: 0,
      waiting: 0,
      unavailable: false,
      acquired: 2,
      created: 1,
      createFailures: 0,
      destroyed: 0,
      invalid: 0,
      timeouts: 0,
      leaks: 0,
      revoked: 0,
      wait: { count: 2, sumMs: 3, maxMs: 3, buckets: [1, 0, 1] },
      usage: { count: 2, sumMs: 3, maxMs: 3, buckets: [1, 0, 1] },
      creation: { count: 1, sumMs: 0, maxMs: 0, buckets: [1] },
    });
  },
);

testClean("hooks may call the pool", async () => {
  const log: unknown[] = [];
  const pool: ResourcePool<{ id: number }> = new ResourcePool(
    () => ({ id: log.push("create") }),
    {
      max: 2,
      validate: () => {
        log.push(pool.tryAcquire());
        return true;
      },
      destroy: () => {
        log.push(pool.tryAcquire(), pool.waiting);
      },
    },
  );
  await pool.use(() => {});
  await sleep(1000);
  await pool.use(() => {});
  await pool.close();

  assertEquals(log, ["create", undefined, undefined, 0]);
});

Deno.test("ResourcePool holds in every order", async () => {
  await explore(async () => {
    const backend = new Backend();
    const pool = backend.pool({ max: 2, isFatal: () => true });
    const work = (i: number) => async () => {
      const lease = await pool.acquire();
      assert(!lease.resource.isDestroyed);
      await sleep(0);
      lease.release(i === 1 ? "broken" : undefined);
    };
    const impatient = createTask(() => pool.acquire());
    impatient.addDoneCallback((task) => {
      if (!task.cancelled) task.result().release();
    });
    await gather([
      ...[0, 1, 2, 3].map(work),
      async () => {
        await sleep(0);
        impatient.cancel();
        await impatient.outcome();
      },
    ]);
    assertEquals(pool.leased, 0);
    assertEquals(pool.waiting, 0);
    assert(backend.peak <= 2);
    await pool.close();
    assertEquals(backend.alive, 0);
  }, { runs: 60 });
});

Deno.test("ResourcePool loses nothing, wherever a user is cancelled", async () => {
  const { points } = await cancelSweep(async (sweep) => {
    const backend = new Backend();
    backend.createMs = 2;
    backend.destroyMs = 1;
    const pool = backend.pool({
      max: 2,
      isFatal: () => true,
      validateAfterMs: 1,
      validate: () => sleep(1, { value: true }),
    });
    const work = (i: number) => async () => {
      await sleep(i);
      const lease = await pool.acquire();
      try {
        await sleep(3);
      } finally {
        lease.release(i === 2 ? "broken" : undefined);
      }
      await pool.use(() => sleep(1));
    };
    const users = [0, 1, 2, 3].map((i) => sweep.target(work(i)));
    for (const user of users) await user;
    assertEquals([pool.leased, pool.waiting], [0, 0]);
    assert(backend.peak <= 2);
    await pool.close();
    assertEquals(backend.alive, 0);
  });

  assert(points.length > 20);
});

const SEED = Number(Deno.env.get("ILMEK_SEED") ?? 20_261_125);

testClean(
  `ResourcePool loses nothing under random load (seed ${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    const backend = new Backend();
    backend.destroyMs = 2;
    const pool = new ResourcePool(async () => {
      await sleep(Math.floor(random() * 5));
      if (random() < 0.2) throw new TypeError("refused");
      return await backend.create();
    }, {
      max: 4,
      random,
      destroy: backend.destroy,
      validateAfterMs: 3,
      validate: async () => {
        await sleep(1);
        return random() < 0.8;
      },
      isFatal: () => true,
      maxLifetimeMs: 200,
      idleMs: 50,
      createRetries: 20,
    });
    const inUse = new Set<number>();
    let done = 0;

    const user = async () => {
      for (let i = 0; i < 15; i++) {
        await sleep(Math.floor(random() * 30));
        try {
          await timeout(1 + random() * 60, async () => {
            const lease = await pool.acquire();
            const { id } = lease.resource;
            assert(!inUse.has(id), `${id} is used twice`);
            inUse.add(id);
            assert(inUse.size <= 4);
            let error: unknown;
            try {
              await sleep(random() * 10);
              if (random() < 0.1) error = new TypeError("broken");
            } finally {
              inUse.delete(id);
              lease.release(error);
            }
            done++;
          });
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
        }
      }
    };
    await gather(Array.from({ length: 12 }, () => user));

    assert(done > 50, `only ${done} were served`);
    assertEquals([pool.leased, pool.waiting], [0, 0]);
    assert(backend.peak <= 4);
    await pool.close();
    assertEquals(backend.alive, 0);
  },
);

Deno.test("a pool can be made outside of the run that uses it", async () => {
  const pool = new Backend().pool({ max: 1 });

  await runVirtual(async () => {
    const user = () => pool.use(() => sleep(5000));
    await gather([user, user, user]);
    const held = await hold(pool);
    await assertRejects(
      () => pool.acquire({ timeoutMs: 1000 }),
      PoolTimeoutError,
    );
    held.release();
  });

  assertEquals([pool.size, pool.idle], [1, 1]);
  await pool.close();
});

Deno.test("ResourcePool() refuses what makes no sense", () => {
  const make = (options: ResourcePoolOptions<string>) => () =>
    new ResourcePool(() => "", options);

  assertThrows(
    () => new ResourcePool("no" as never),
    TypeError,
    '"create" must be a function',
  );
  assertThrows(
    make({ max: 0 }),
    RangeError,
    '"max" must be an integer >= 1: current value is 0',
  );
  assertThrows(make({ min: -1 }), RangeError, '"min"');
  assertThrows(
    make({ min: 3, max: 2 }),
    RangeError,
    '"min" must be at most "max", which is 2: current value is 3',
  );
  assertThrows(
    make({ acquireTimeoutMs: 249 }),
    RangeError,
    '"acquireTimeoutMs" must be >= 250: current value is 249',
  );
  assertThrows(make({ idleMs: -1 }), RangeError, '"idleMs"');
  assertThrows(make({ maxLifetimeMs: NaN }), RangeError, '"maxLifetimeMs"');
  assertThrows(
    make({ keepaliveMs: 5 }),
    TypeError,
    '"keepaliveMs" needs "validate"',
  );
  assertThrows(
    make({ order: "random" as never }),
    TypeError,
    '"order" must be "lifo" or "fifo": current value is "random"',
  );
  assertThrows(
    make({ createConcurrency: 0 }),
    RangeError,
    '"createConcurrency"',
  );
  assertThrows(make({ createRetries: 0.5 }), RangeError, '"createRetries"');
  assertThrows(make({ validate: 1 as never }), TypeError, '"validate"');
  assertThrows(make({ destroy: 1 as never }), TypeError, '"destroy"');
});

Deno.test("the methods of ResourcePool refuse what makes no sense", async () => {
  await using pool = new ResourcePool(() => "");

  await assertRejects(
    () => pool.acquire({ timeoutMs: -1 }),
    RangeError,
    '"timeoutMs"',
  );
  await assertRejects(
    () => pool.close({ graceMs: -1 }),
    RangeError,
    '"graceMs"',
  );
  await assertRejects(() => pool.use("no" as never), TypeError, '"fn"');
  assertEquals(pool.closed, false);
  assertEquals(pool.size, 0);
});

function sleepingYes(): Promise<boolean> {
  return sleep(1, { value: true });
}

function abortedBy(reason: unknown): AbortController {
  const controller = new AbortController();
  controller.abort(reason);
  return controller;
}
