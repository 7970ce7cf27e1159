import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  Broadcast,
  BroadcastClosedError,
  type SubscribeOptions,
  SubscriberTooSlowError,
} from "@ilmek/async/broadcast";
import { checkpoint } from "@ilmek/async/checkpoint";
import { InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { testClean } from "../_leaks.ts";

testClean(
  "Broadcast.publish() reaches every subscriber, in order",
  async () => {
    const news = new Broadcast<number>();
    const [ada, bob] = [news.subscribe(), news.subscribe()];
    for (const item of [1, 2, 3]) await news.publish(item);
    news.close();

    assertEquals(await Array.fromAsync(ada), [1, 2, 3]);
    assertEquals(await Array.fromAsync(bob), [1, 2, 3]);
  },
);

testClean("a subscriber gets what is published after subscribe()", async () => {
  const news = new Broadcast<number>();
  await news.publish(1);
  const late = news.subscribe();
  await news.publish(2);

  assertEquals([await late.receive(), late.size], [2, 0]);
});

testClean("a subscriber that waits gets the item at once", async () => {
  const news = new Broadcast<number>();
  const late = news.subscribe({ capacity: 1 });
  const receiving = createTask(() => late.receive());
  await sleep(1);
  assertEquals(late.waiting, 1);
  await news.publish(1);

  assertEquals([await receiving, late.size], [1, 0]);
});

testClean(
  "a new subscriber gets the latest items, as far as they fit",
  async () => {
    const news = new Broadcast<number>({ replay: 2 });
    for (const item of [1, 2, 3]) await news.publish(item);
    const [both, one] = [news.subscribe(), news.subscribe({ capacity: 1 })];

    assertEquals([both.tryReceive(), both.tryReceive()], [2, 3]);
    assertEquals([one.tryReceive(), one.missed], [3, 0]);
  },
);

testClean(
  "Broadcast.publish() waits for the slowest subscriber, in order",
  async () => {
    const news = new Broadcast<number>();
    const [slow, quick] = [news.subscribe({ capacity: 1 }), news.subscribe()];
    await news.publish(1);
    const publishing = [2, 3].map((item) =>
      createTask(() => news.publish(item))
    );
    await sleep(1);
    assertEquals([news.waiting, news.tryPublish(4), quick.size], [2, false, 1]);

    assertEquals(await slow.receive(), 1);
    assertEquals([quick.size, await slow.receive()], [2, 2]);
    for (const task of publishing) await task;
    assertEquals([quick.tryReceive(), quick.tryReceive(), quick.tryReceive()], [
      1,
      2,
      3,
    ]);
  },
);

testClean(
  "Broadcast.publish() that is cancelled while it waits has reached nobody",
  async () => {
    const news = new Broadcast<number>();
    const [slow, quick] = [news.subscribe({ capacity: 1 }), news.subscribe()];
    await news.publish(1);
    await assertRejects(() => timeout(1, () => news.publish(2)), TimeoutError);

    assertEquals([slow.size, quick.size, news.waiting], [1, 1, 0]);
  },
);

testClean("a subscriber that leaves lets publishers go on", async () => {
  const news = new Broadcast<number>();
  const slow = news.subscribe({ capacity: 1 });
  await news.publish(1);
  const publishing = createTask(() => news.publish(2));
  await sleep(1);
  slow.close();
  slow.close();
  await publishing;

  assertEquals([news.subscribers, slow.size, slow.closed], [0, 0, true]);
  await assertRejects(() => slow.receive(), BroadcastClosedError);
});

testClean('"drop-oldest" counts what a subscriber has missed', async () => {
  const news = new Broadcast<number>();
  const slow = news.subscribe({ capacity: 2, overflow: "drop-oldest" });
  for (const item of [1, 2, 3, 4]) await news.publish(item);

  assertEquals([slow.missed, slow.tryReceive(), slow.tryReceive()], [2, 3, 4]);
});

testClean(
  '"disconnect" ends a subscriber that is too slow, after what it has',
  async () => {
    const news = new Broadcast<number>();
    const slow = news.subscribe({ capacity: 1, overflow: "disconnect" });
    for (const item of [1, 2, 3]) await news.publish(item);

    assertEquals([news.subscribers, slow.missed], [0, 1]);
    assertEquals(await slow.receive(), 1);
    await assertRejects(
      () => slow.receive(),
      SubscriberTooSlowError,
      "Cannot receive an item: the buffer of 1 was full, and the subscriber was disconnected",
    );
  },
);

testClean("a disconnect does not let a publisher overtake", async () => {
  const news = new Broadcast<number>();
  const cut = news.subscribe({ capacity: 1, overflow: "disconnect" });
  const slow = news.subscribe({ capacity: 1 });
  await news.publish(1);
  const publishing = [2, 3].map((item) => createTask(() => news.publish(item)));
  await sleep(1);
  const taken: number[] = [];
  for (let i = 0; i < 3; i++) taken.push(await slow.receive());
  for (const task of publishing) await task;

  assertEquals(taken, [1, 2, 3]);
  assertEquals(cut.closed, true);
});

testClean(
  "Broadcast.close() ends publishers at once, and subscribers after what they have",
  async () => {
    const news = new Broadcast<number>();
    const slow = news.subscribe({ capacity: 1 });
    const waiting = news.subscribe();
    await news.publish(1);
    await waiting.receive();
    const receiving = createTask(() => waiting.receive());
    const publishing = createTask(() => news.publish(2));
    await sleep(1);
    news.close();
    news.close();

    await assertRejects(async () => await publishing, BroadcastClosedError);
    await assertRejects(async () => await receiving, BroadcastClosedError);
    assertEquals(await Array.fromAsync(slow), [1]);
    assertThrows(() => slow.tryReceive(), BroadcastClosedError);
    await assertRejects(
      () => news.publish(3),
      BroadcastClosedError,
      "Cannot publish an item: the broadcast is closed",
    );
    assertThrows(() => news.subscribe(), BroadcastClosedError);
    assertThrows(() => news.tryPublish(1), BroadcastClosedError);
    assertEquals(news.closed, true);
  },
);

testClean("Broadcast.closeWith() gives subscribers the error", async () => {
  const news = new Broadcast<number>();
  const subscription = news.subscribe();
  await news.publish(1);
  news.closeWith(new RangeError("source failed"));
  const taken: number[] = [];

  await assertRejects(
    async () => {
      for await (const item of subscription) taken.push(item);
    },
    RangeError,
    "source failed",
  );
  assertEquals(taken, [1]);
});

testClean(
  "a subscription that is left half way stays open until it is disposed of",
  async () => {
    const news = new Broadcast<number>();
    {
      using subscription = news.subscribe();
      for (const item of [1, 2]) await news.publish(item);
      for await (const item of subscription) if (item === 1) break;
      assertEquals(await subscription.receive(), 2);
    }

    assertEquals(news.subscribers, 0);
  },
);

testClean("publishOp() and receiveOp() are choices of select()", async () => {
  const news = new Broadcast<number>();
  const slow = news.subscribe({ capacity: 1 });
  await select({ publish: news.publishOp(1) });
  const late = await select({ publish: news.publishOp(2), late: sleepOp(1) });
  assertEquals([late.key, news.waiting], ["late", 0]);
  assertEquals(await select({ item: slow.receiveOp() }), {
    key: "item",
    value: 1,
  });
  const none = await select({ item: slow.receiveOp(), late: sleepOp(1) });
  assertEquals([none.key, slow.waiting], ["late", 0]);

  news.close();
  await assertRejects(
    () => select({ item: slow.receiveOp() }),
    BroadcastClosedError,
  );
  await assertRejects(
    () => select({ publish: news.publishOp(3) }),
    BroadcastClosedError,
  );
});

testClean("the waits of a broadcast end with their signal", async () => {
  const news = new Broadcast<number>();
  const subscription = news.subscribe({ capacity: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  const receiving = subscription.receive({ signal });
  controller.abort(new RangeError("enough"));

  await assertRejects(() => receiving, RangeError, "enough");
  await assertRejects(() => news.publish(1, { signal }), RangeError, "enough");
  assertEquals(subscription.size, 0);
});

Deno.test("Broadcast rejects wrong arguments", async () => {
  const news = new Broadcast<unknown>();

  assertThrows(
    () => new Broadcast({ replay: -1 }),
    RangeError,
    'Cannot create a broadcast as "replay" must be an integer >= 0: current value is -1',
  );
  assertThrows(
    () => news.subscribe({ capacity: 0 }),
    RangeError,
    'Cannot subscribe as "capacity" must be an integer >= 1: current value is 0',
  );
  assertThrows(
    () => news.subscribe({ overflow: "burst" } as unknown as SubscribeOptions),
    TypeError,
    'Cannot subscribe as "overflow" must be one of "suspend", "drop-oldest", "disconnect": current value is "burst"',
  );
  await assertRejects(() => news.publish(Promise.resolve()), TypeError);
  assertThrows(() => news.publishOp(Promise.resolve()), TypeError);
  assertInstanceOf(new BroadcastClosedError(), InvalidStateError);
  assertInstanceOf(new SubscriberTooSlowError(), InvalidStateError);
});

Deno.test("subscribers of a broadcast see the same items in any order", async () => {
  await explore(async () => {
    const news = new Broadcast<number>();
    const subscriptions = [1, 2].map((capacity) =>
      news.subscribe({ capacity })
    );
    const loops = subscriptions.map((subscription) =>
      createTask(() => Array.fromAsync(subscription))
    );
    const publishers = [0, 10, 20].map((first) =>
      createTask(async () => {
        for (const item of [first, first + 1]) await news.publish(item);
      })
    );
    await checkpoint();
    publishers[1]?.cancel();
    for (const publisher of publishers) await publisher.outcome();
    news.close();
    const [ada = [], bob = []] = [await loops[0], await loops[1]];
    assertEquals(ada, bob);
    assertEquals(ada.filter((item) => item < 10), [0, 1]);
    assertEquals(new Set(ada).size, ada.length);
  }, { runs: 100 });
});

testClean(
  "a select that would publish and receive does one of them",
  async () => {
    const news = new Broadcast<number>();
    using full = news.subscribe({ capacity: 1 });
    await news.publish(0);
    using own = news.subscribe({ capacity: 1 });
    const choosing = createTask(() =>
      select({ publish: news.publishOp(1), receive: own.receiveOp() })
    );
    await sleep(1);
    assertEquals(await full.receive(), 0);

    assertEquals((await choosing).key, "publish");
    assertEquals([full.size, own.size], [1, 1]);
  },
);

testClean(
  "a loop over a subscription throws what the broadcast was closed with",
  async () => {
    for (const error of [new BroadcastClosedError("upstream"), undefined, 0]) {
      const news = new Broadcast<number>();
      using subscription = news.subscribe();
      await news.publish(1);
      news.closeWith(error);
      const items: number[] = [];
      const outcome = await (async () => {
        for await (const item of subscription) items.push(item);
      })().then(() => ({}), (thrown) => ({ thrown }));

      assertEquals(items, [1]);
      assertEquals(outcome, { thrown: error });
    }
  },
);
