/**
 * Every operation, in every way that a `select` can go for it.
 *
 * A new operation needs a row in the table, or a test here fails.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as ilmek from "@ilmek/async";
import { Barrier } from "@ilmek/async/barrier";
import { Broadcast } from "@ilmek/async/broadcast";
import { CapacityLimiter } from "@ilmek/async/capacity-limiter";
import { channel } from "@ilmek/async/channel";
import { AutoResetEvent, Event, Latch } from "@ilmek/async/event";
import { Future } from "@ilmek/async/future";
import { KeyedLock } from "@ilmek/async/keyed-lock";
import { LifoQueue } from "@ilmek/async/lifo-queue";
import { Lock } from "@ilmek/async/lock";
import { Once } from "@ilmek/async/once";
import { PriorityQueue } from "@ilmek/async/priority-queue";
import { Queue } from "@ilmek/async/queue";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { ReentrantLock } from "@ilmek/async/reentrant-lock";
import { RwLock } from "@ilmek/async/rw-lock";
import {
  select,
  type Selectable,
  type SelectOptions,
} from "@ilmek/async/select";
import { BoundedSemaphore, Semaphore } from "@ilmek/async/semaphore";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TaskTracker } from "@ilmek/async/task-tracker";
import { WaitGroup } from "@ilmek/async/wait-group";
import { Watch } from "@ilmek/async/watch";
import { leftovers, testClean } from "../_leaks.ts";

const HOUR_MS = 3_600_000;

/** An operation that has to wait, and what is to be known about it. */
interface Subject {
  readonly choice: Selectable;
  /** Lets it be done. */
  ready(): unknown;
  /** What is there when it was done, and what when it is ready and was not. */
  readonly done: unknown;
  readonly undone: unknown;
  /** Looks which of the two it is. It may wait. */
  state(): unknown;
  /** Ends what the test itself holds. */
  end?(): unknown;
}

/** Makes a subject. It may wait. */
type Make = () => Subject | Promise<Subject>;

/** What is given back by a permit: it was had, or it is still there. */
function guarded(
  choice: Selectable,
  held: Disposable,
  tryAcquire: () => unknown,
): Subject {
  return {
    choice,
    ready: () => held[Symbol.dispose](),
    done: undefined,
    undone: "free",
    state: () => tryAcquire() === undefined ? undefined : "free",
  };
}

/** What tells all who wait, and keeps nothing for those who do not. */
function told(
  choice: Selectable,
  owner: { readonly waiting: number },
  ready: () => unknown,
): Subject {
  return { choice, ready, done: 0, undone: 0, state: () => owner.waiting };
}

function queueRows(
  make: () => Queue<number> | LifoQueue<number> | PriorityQueue<number>,
): { get: Make; put: Make } {
  return {
    get: () => {
      const queue = make();
      return {
        choice: queue.getOp(),
        ready: () => queue.putNowait(1),
        done: 0,
        undone: 1,
        state: () => queue.size,
      };
    },
    put: () => {
      const queue = make();
      queue.putNowait(1);
      return {
        choice: queue.putOp(2),
        ready: () => queue.getNowait(),
        done: 2,
        undone: undefined,
        state: () => queue.tryGet(),
      };
    },
  };
}

const queues = queueRows(() => new Queue<number>({ capacity: 1 }));
const lifos = queueRows(() => new LifoQueue<number>({ capacity: 1 }));
const priorities = queueRows(() => new PriorityQueue<number>({ capacity: 1 }));

/** By the class or function that it belongs to, and its name. */
const SUBJECTS: Readonly<Record<string, Make>> = {
  "a task": () => {
    const gate = new Event();
    const task = createTask(() => gate.wait());
    return {
      choice: task,
      ready: () => gate.set(),
      done: "done",
      undone: "done",
      state: async () => (await task.outcome()).state,
      end: () => gate.set(),
    };
  },
  "a future": () => {
    const future = new Future<number>();
    return {
      choice: future,
      ready: () => future.setResult(1),
      done: 1,
      undone: 1,
      state: () => future.result(),
    };
  },
  "sleepOp": () => ({
    choice: sleepOp(5),
    ready: () => {},
    done: true,
    undone: true,
    state: () => true,
  }),
  "AutoResetEvent.waitOp": () => {
    const event = new AutoResetEvent();
    return {
      choice: event.waitOp(),
      ready: () => event.set(),
      done: false,
      undone: true,
      state: () => event.isSet,
    };
  },
  "Barrier.waitOp": () => {
    const barrier = new Barrier(2);
    let other: Promise<unknown> | undefined;
    return {
      choice: barrier.waitOp(),
      ready: () => {
        other = barrier.wait().catch(() => {});
      },
      done: 0,
      undone: 1,
      state: () => barrier.waiting,
      end: () => {
        barrier.abort();
        return other;
      },
    };
  },
  "BoundedSemaphore.acquireOp": async () => {
    const semaphore = new BoundedSemaphore(1);
    const held = await semaphore.acquire();
    return guarded(semaphore.acquireOp(), held, () => semaphore.tryAcquire());
  },
  "Broadcast.publishOp": () => {
    const topic = new Broadcast<number>();
    const subscription = topic.subscribe({ capacity: 1 });
    topic.tryPublish(1);
    return {
      choice: topic.publishOp(2),
      ready: () => subscription.tryReceive(),
      done: 2,
      undone: undefined,
      state: () => subscription.tryReceive(),
    };
  },
  "CapacityLimiter.acquireOp": async () => {
    const limiter = new CapacityLimiter(1);
    const held = await limiter.acquire({ borrower: "test" });
    return guarded(
      limiter.acquireOp({ borrower: "select" }),
      held,
      () => limiter.tryAcquire({ borrower: "later" }),
    );
  },
  "Event.waitOp": () => {
    const event = new Event();
    return told(event.waitOp(), event, () => event.set());
  },
  "KeyedLock.acquireOp": async () => {
    const lock = new KeyedLock<string>();
    const held = await lock.acquire("key");
    return guarded(lock.acquireOp("key"), held, () => lock.tryAcquire("key"));
  },
  "Latch.waitOp": () => {
    const latch = new Latch();
    return told(latch.waitOp(), latch, () => latch.release());
  },
  "LifoQueue.getOp": lifos.get,
  "LifoQueue.putOp": lifos.put,
  "Lock.acquireOp": async () => {
    const lock = new Lock();
    const held = await lock.acquire();
    return guarded(lock.acquireOp(), held, () => lock.tryAcquire());
  },
  "Once.getOp": () => {
    const gate = new Event();
    const value = new Once(() => gate.wait());
    return {
      choice: value.getOp(),
      ready: () => gate.set(),
      done: "done",
      undone: "idle",
      state: () => value.state,
    };
  },
  "PriorityQueue.getOp": priorities.get,
  "PriorityQueue.putOp": priorities.put,
  "Queue.getOp": queues.get,
  "Queue.putOp": queues.put,
  "ChannelReceiver.receiveOp": () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    return {
      choice: receiver.receiveOp(),
      ready: () => sender.trySend(1),
      done: undefined,
      undone: 1,
      state: () => receiver.tryReceive(),
    };
  },
  "RateLimiter.acquireOp": () => {
    const limiter = new RateLimiter({ limit: 1, perMs: HOUR_MS });
    limiter.tryAcquire();
    return {
      choice: limiter.acquireOp(),
      ready: () => limiter.refund(),
      done: false,
      undone: true,
      state: () => limiter.tryAcquire(),
    };
  },
  "ReentrantLock.acquireOp": async () => {
    const lock = new ReentrantLock();
    const release = new Event();
    const holder = createTask(() => lock.run(() => release.wait()));
    await sleep(0);
    return {
      choice: lock.acquireOp(),
      ready: async () => {
        release.set();
        await holder;
      },
      done: 1,
      undone: 0,
      state: () => lock.depth,
    };
  },
  "RwLock.acquireReadOp": async () => {
    const lock = new RwLock();
    const held = await lock.acquireWrite();
    return guarded(lock.acquireReadOp(), held, () => lock.tryAcquireWrite());
  },
  "RwLock.acquireWriteOp": async () => {
    const lock = new RwLock();
    const held = await lock.acquireRead();
    return guarded(lock.acquireWriteOp(), held, () => lock.tryAcquireRead());
  },
  "Semaphore.acquireOp": async () => {
    const semaphore = new Semaphore(3);
    const held = await semaphore.acquire(2);
    return guarded(semaphore.acquireOp(2), held, () => semaphore.tryAcquire(2));
  },
  "ChannelSender.sendOp": () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    sender.trySend(1);
    return {
      choice: sender.sendOp(2),
      ready: () => receiver.tryReceive(),
      done: 2,
      undone: undefined,
      state: () => receiver.tryReceive(),
    };
  },
  "Subscription.receiveOp": () => {
    const topic = new Broadcast<number>();
    const subscription = topic.subscribe();
    return {
      choice: subscription.receiveOp(),
      ready: () => topic.tryPublish(1),
      done: undefined,
      undone: 1,
      state: () => subscription.tryReceive(),
    };
  },
  "TaskTracker.waitOp": () => {
    const tracker = new TaskTracker();
    return {
      choice: tracker.waitOp(),
      ready: () => tracker.close(),
      done: true,
      undone: true,
      state: () => tracker.closed,
    };
  },
  "WaitGroup.waitOp": () => {
    const group = new WaitGroup();
    group.add();
    return told(group.waitOp(), group, () => group.done());
  },
  "Watch.changedOp": () => {
    const watch = new Watch(0);
    return told(watch.changedOp(), watch, () => watch.set(1));
  },
  "Watch.untilOp": () => {
    const watch = new Watch(0);
    return told(watch.untilOp((n) => n === 1), watch, () => watch.set(1));
  },
};

/** Takes an operation that must wait, beside another that `win` lets be done. */
function chooseBeside(
  { choice }: Subject,
  options: SelectOptions = {},
): { win: () => void; choosing: Promise<string> } {
  const winner = new Event();
  const choosing = select({ choice, winner: winner.waitOp() }, options);
  return {
    win: () => winner.set(),
    choosing: choosing.then(({ key }) => key),
  };
}

/** Registers a test for every operation. */
function testEach(
  how: string,
  fn: (subject: Subject) => Promise<void>,
): void {
  for (const [name, make] of Object.entries(SUBJECTS)) {
    testClean(`${name} in a select ${how}`, async () => {
      const subject = await make();
      await fn(subject);
      await subject.end?.();
    });
  }
}

testEach("wins", async (subject) => {
  const { choosing } = chooseBeside(subject);
  await sleep(0);
  await subject.ready();

  assertEquals(await choosing, "choice");
  assertEquals(await subject.state(), subject.done);
});

testEach("loses, and leaves no trace", async (subject) => {
  const { choosing, win } = chooseBeside(subject);
  await sleep(0);
  win();
  assertEquals(await choosing, "winner");
  await sleep(0);

  await subject.ready();
  await sleep(10);
  assertEquals(await subject.state(), subject.undone);
});

testEach("loses while it becomes ready in the same step", async (subject) => {
  const { choosing, win } = chooseBeside(subject);
  await sleep(0);
  win();
  const ready = subject.ready();

  assertEquals(await choosing, "winner");
  await ready;
  await sleep(10);
  assertEquals(await subject.state(), subject.undone);
});

testEach("is cancelled, and leaves no trace", async (subject) => {
  let choosing: Promise<string> | undefined;
  const task = createTask(() => choosing = chooseBeside(subject).choosing);
  await sleep(0);
  task.cancel();
  assertEquals((await task.outcome()).state, "cancelled");
  await choosing?.catch(() => {});
  await sleep(0);

  await subject.ready();
  await sleep(10);
  assertEquals(await subject.state(), subject.undone);
});

testEach("ends with a signal, and leaves no trace", async (subject) => {
  const controller = new AbortController();
  const { signal } = controller;
  const { choosing } = chooseBeside(subject, { signal });
  await sleep(0);
  controller.abort("enough");
  assertEquals(await choosing.catch((reason) => reason), "enough");
  await sleep(0);

  await subject.ready();
  await sleep(10);
  assertEquals(await subject.state(), subject.undone);
});

testClean("the table holds every operation of the package", () => {
  const isOperation = (name: string) => name.endsWith("Op");
  const found: string[] = [];
  for (const [name, value] of Object.entries(ilmek)) {
    if (isOperation(name)) found.push(name);
    if (typeof value !== "function") continue;
    for (
      let proto = value.prototype;
      proto !== null && proto !== undefined && proto !== Object.prototype;
      proto = Object.getPrototypeOf(proto)
    ) {
      const own = Object.getOwnPropertyNames(proto).filter(isOperation);
      found.push(...own.map((method) => `${name}.${method}`));
    }
  }
  const missing = new Set(found).difference(new Set(Object.keys(SUBJECTS)));

  assertEquals([...missing], []);
  assertEquals(leftovers(), []);
});
