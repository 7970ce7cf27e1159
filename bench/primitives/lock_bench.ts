/**
 * What a lock costs those who get it at once, and those who wait for it.
 *
 * @module
 */
import { Lock } from "@ilmek/async/lock";
import { Semaphore } from "@ilmek/async/semaphore";
import { createTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { sleep } from "@ilmek/async/sleep";
import { Mutex } from "async-mutex";
import { Sema } from "async-sema";
import pLimit from "p-limit";
import { type Case, type Question, registerBenches } from "../question.ts";
import { stdCases, type StdSemaphore } from "../std_async.ts";

const ITEMS = 10_000;
const WAITERS = 100;

const DONE = Promise.resolve();

async function awaitEach(items: number): Promise<void> {
  for (let i = 0; i < items; i++) await DONE;
}

const ONE_AWAIT: Case = { name: "one await", kind: "limit", run: awaitEach };

const SEMA: Case = {
  name: "async-sema",
  kind: "peer",
  run: async (items) => {
    const sema = new Sema(1);
    for (let i = 0; i < items; i++) {
      await sema.acquire();
      sema.release();
    }
  },
};

const MUTEX: Case = {
  name: "async-mutex",
  kind: "peer",
  run: async (items) => {
    const mutex = new Mutex();
    for (let i = 0; i < items; i++) {
      const release = await mutex.acquire();
      release();
    }
  },
};

async function lockAndUnlock(items: number): Promise<void> {
  const lock = new Lock();
  for (let i = 0; i < items; i++) {
    await lock.acquire();
    lock.release();
  }
}

async function takeAndFree(items: number): Promise<void> {
  const semaphore = new Semaphore(1);
  for (let i = 0; i < items; i++) {
    await semaphore.acquire();
    semaphore.release();
  }
}

async function passOn(
  items: number,
  lock: { acquire(): Promise<unknown>; release(): unknown },
): Promise<void> {
  for (let i = 0; i < items; i += WAITERS) {
    const work = async () => {
      await lock.acquire();
      lock.release();
    };
    await lock.acquire();
    const waits = Array.from({ length: WAITERS }, work);
    lock.release();
    await Promise.all(waits);
  }
}

/** Lets so many wait at once, and serves all of them. */
async function serveWaiters(
  items: number,
  lock: { acquire(): Promise<unknown>; release(): unknown },
): Promise<void> {
  await lock.acquire();
  const waits = [];
  for (let i = 0; i < items; i++) waits.push(lock.acquire());
  for (let i = 0; i < items; i++) lock.release();
  await Promise.all(waits);
  lock.release();
}

/** The limit of a lock with a line: a promise for each who waits. */
class LeastLock {
  #locked = false;
  #line: (() => void)[] = [];
  #next = 0;

  acquire(): Promise<void> {
    if (!this.#locked) {
      this.#locked = true;
      return DONE;
    }
    return new Promise((resolve) => this.#line.push(resolve));
  }

  release(): void {
    if (this.#next === this.#line.length) {
      this.#line = [];
      this.#next = 0;
      this.#locked = false;
    } else this.#line[this.#next++]?.();
  }
}

/** Cancels tasks that stand in one line, from its middle to both ends. */
function cancelFromTheMiddle(items: number): Promise<void> {
  return TaskGroup.run(async (group) => {
    const lock = new Lock({ unowned: true });
    const permit = await lock.acquire();
    const tasks = [];
    for (let i = 0; i < items; i++) {
      tasks.push(group.createTask(() => lock.acquire()));
    }
    await sleep(0);
    const middle = items >> 1;
    for (let i = 0; i < middle; i++) {
      tasks[middle + i]?.cancel();
      tasks[middle - 1 - i]?.cancel();
    }
    permit.release();
  });
}

/** The questions, by name. */
export const questions: Record<string, Question> = {
  uncontended: {
    kind: "speed",
    group: "lock and unlock, uncontended",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      { name: "Lock", kind: "ours", run: lockAndUnlock },
      SEMA,
      MUTEX,
    ],
  },

  inTask: {
    kind: "speed",
    group: "lock and unlock in a task",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      {
        name: "Lock",
        kind: "ours",
        run: (items) => createTask(() => lockAndUnlock(items)).toPromise(),
      },
      SEMA,
    ],
  },

  semaphore: {
    kind: "speed",
    group: "take and free a permit, uncontended",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      { name: "Semaphore", kind: "ours", run: takeAndFree },
      SEMA,
      MUTEX,
    ],
  },

  tryAcquire: {
    kind: "speed",
    group: "take it without waiting",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      {
        name: "Semaphore.tryAcquire()",
        kind: "ours",
        run: (items) => {
          const semaphore = new Semaphore(1);
          for (let i = 0; i < items; i++) {
            if (semaphore.tryAcquire() !== undefined) semaphore.release();
          }
        },
      },
      {
        name: "async-sema",
        kind: "peer",
        run: (items) => {
          const sema = new Sema(1);
          for (let i = 0; i < items; i++) {
            if (sema.tryAcquire() !== undefined) sema.release();
          }
        },
      },
    ],
  },

  tryLock: {
    kind: "speed",
    group: "take a lock without waiting",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      {
        name: "Lock.tryAcquire()",
        kind: "ours",
        run: (items) => {
          const lock = new Lock();
          for (let i = 0; i < items; i++) lock.tryAcquire()?.release();
        },
      },
    ],
  },

  permit: {
    kind: "speed",
    group: "a permit, with try and finally",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      {
        name: "Lock",
        kind: "ours",
        run: async (items) => {
          const lock = new Lock();
          let sum = 0;
          for (let i = 0; i < items; i++) {
            const permit = await lock.acquire();
            try {
              sum += i;
            } finally {
              permit.release();
            }
          }
          return sum;
        },
      },
      ...await stdCases(
        "unstable-semaphore",
        ({ Semaphore }: StdSemaphore) => [{
          name: "@std/async",
          kind: "peer" as const,
          run: async (items: number) => {
            const semaphore = new Semaphore(1);
            let sum = 0;
            for (let i = 0; i < items; i++) {
              using _permit = await semaphore.acquire();
              sum += i;
            }
            return sum;
          },
        }],
      ),
    ],
  },

  run: {
    kind: "speed",
    group: "run a function under a lock",
    items: ITEMS,
    cases: [
      ONE_AWAIT,
      {
        name: "Lock.run()",
        kind: "ours",
        run: async (items) => {
          const lock = new Lock();
          for (let i = 0; i < items; i++) await lock.run(() => i);
        },
      },
      {
        name: "p-limit",
        kind: "peer",
        run: async (items) => {
          const limit = pLimit(1);
          for (let i = 0; i < items; i++) await limit(() => i);
        },
      },
      {
        name: "async-mutex",
        kind: "peer",
        run: async (items) => {
          const mutex = new Mutex();
          for (let i = 0; i < items; i++) await mutex.runExclusive(() => i);
        },
      },
    ],
  },

  contended: {
    kind: "speed",
    group: `a lock with ${WAITERS} waiters`,
    items: ITEMS,
    cases: [
      {
        name: "promise per waiter",
        kind: "limit",
        run: (items) => passOn(items, new LeastLock()),
      },
      { name: "Lock", kind: "ours", run: (items) => passOn(items, new Lock()) },
      {
        name: "async-sema",
        kind: "peer",
        run: (items) => passOn(items, new Sema(1)),
      },
      {
        name: "async-mutex",
        kind: "peer",
        run: (items) => passOn(items, new Mutex()),
      },
    ],
  },

  contendedTasks: {
    kind: "speed",
    group: `a lock with ${WAITERS} tasks that wait`,
    items: ITEMS,
    cases: [
      {
        name: "promise per waiter",
        kind: "limit",
        run: (items) => contendByTasks(items, new LeastLock()),
      },
      {
        name: "Lock",
        kind: "ours",
        run: (items) => contendByTasks(items, new Lock()),
      },
      {
        name: "async-sema",
        kind: "peer",
        run: (items) => contendByTasks(items, new Sema(1)),
      },
    ],
  },

  waitersGrowth: {
    kind: "growth",
    group: "waiters of a lock",
    cases: [
      {
        name: "promise per waiter",
        kind: "limit",
        run: (items) => serveWaiters(items, new LeastLock()),
      },
      {
        name: "Lock",
        kind: "ours",
        run: (items) => serveWaiters(items, new Lock()),
      },
    ],
  },

  middleGrowth: {
    kind: "growth",
    group: "waiters of a lock that are cancelled from the middle",
    cases: [{ name: "Lock", kind: "ours", run: cancelFromTheMiddle }],
  },

  waiterBytes: {
    kind: "bytes",
    group: "a waiter of a lock",
    cases: [
      holdWaiters("promise and resolver", "limit", () => new LeastLock()),
      holdWaiters("Lock", "ours", () => new Lock()),
      holdWaiters("async-sema", "peer", () => new Sema(1)),
    ],
  },
};

/** The same tasks for each: what differs is the lock. */
async function contendByTasks(
  items: number,
  lock: { acquire(): Promise<unknown>; release(): unknown },
): Promise<void> {
  const share = items / WAITERS;
  const work = async () => {
    for (let i = 0; i < share; i++) {
      await lock.acquire();
      lock.release();
    }
  };
  await TaskGroup.run((group) => {
    for (let i = 0; i < WAITERS; i++) group.createTask(work);
  });
}

function holdWaiters(
  name: string,
  kind: Case["kind"],
  makeLock: () => { acquire(): Promise<unknown>; release(): unknown },
) {
  return {
    name,
    kind,
    hold: (items: number) => {
      const lock = makeLock();
      const waits: Promise<unknown>[] = [lock.acquire()];
      for (let i = 0; i < items; i++) waits.push(lock.acquire());
      return () => {
        for (let i = 0; i <= items; i++) lock.release();
        return Promise.all(waits);
      };
    },
  };
}

registerBenches(questions);
