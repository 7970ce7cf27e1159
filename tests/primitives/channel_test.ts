import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  BrokenChannelError,
  channel,
  ChannelClosedError,
  ChannelFullError,
  type ChannelOptions,
  type ChannelReceiver,
  type ChannelSender,
} from "@ilmek/async/channel";
import { checkpoint } from "@ilmek/async/checkpoint";
import { InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { takeMessages, testClean } from "../_leaks.ts";

const SEED = 7;

/** A channel, and what was told to `onUndelivered`. */
function watched(options: ChannelOptions<number>): {
  sender: ChannelSender<number>;
  receiver: ChannelReceiver<number>;
  lost: number[];
} {
  const lost: number[] = [];
  const [sender, receiver] = channel<number>({
    onUndelivered: (item) => lost.push(item),
    ...options,
  });
  return { sender, receiver, lost };
}

testClean(
  "a channel gives items in the order in which they were sent",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 2 });
    createTask(async () => {
      using end = sender;
      for (const item of [1, 2, 3, 4]) await end.send(item);
    });

    assertEquals(await Array.fromAsync(receiver), [1, 2, 3, 4]);
  },
);

testClean(
  "ChannelSender.send() of a channel without room waits until its item is taken",
  async () => {
    const [sender, receiver] = channel<string>({ capacity: 0 });
    const sending = createTask(() => sender.send("item"));
    await sleep(1);
    assertEquals([sending.done, receiver.size, sender.waiting], [false, 0, 1]);

    assertEquals(await receiver.receive(), "item");
    await sending;
  },
);

testClean(
  "ChannelSender.send() hands over to a receiver that waits",
  async () => {
    const [sender, receiver] = channel<string>({ capacity: 0 });
    const receiving = createTask(() => receiver.receive());
    await sleep(1);
    await sender.send("item");

    assertEquals(await receiving, "item");
  },
);

testClean(
  "ChannelSender.send() that is cancelled has sent nothing",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    await sender.send(1);
    await assertRejects(() => timeout(1, () => sender.send(2)), TimeoutError);

    assertEquals(await receiver.receive(), 1);
    assertEquals([receiver.size, receiver.waiting], [0, 0]);
  },
);

testClean(
  "ChannelReceiver.receive() that is cancelled takes no item",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    await assertRejects(
      () => timeout(1, () => receiver.receive()),
      TimeoutError,
    );
    await sender.send(1);

    assertEquals(await receiver.receive(), 1);
  },
);

testClean("the waits of a channel end with their signal", async () => {
  const [sender, receiver] = channel<number>({ capacity: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  const receiving = receiver.receive({ signal });
  controller.abort(new RangeError("enough"));

  await assertRejects(() => receiving, RangeError, "enough");
  await assertRejects(() => sender.send(1, { signal }), RangeError, "enough");
  await assertRejects(() => sender.reserve({ signal }), RangeError, "enough");
  assertEquals([sender.size, sender.waiting], [0, 0]);
});

testClean(
  "a receiver ends when the last sender is closed and nothing is left",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 2 });
    const other = sender.clone();
    await sender.send(1);
    sender.close();
    sender.close();
    await other.send(2);
    const all = createTask(() => Array.fromAsync(receiver));
    await sleep(1);
    assertEquals(all.done, false);
    other.close();

    assertEquals(await all, [1, 2]);
    await assertRejects(() => receiver.receive(), ChannelClosedError);
    assertThrows(() => receiver.tryReceive(), ChannelClosedError);
  },
);

testClean(
  "every receiver ends with its channel, however many there are",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 4 });
    const receivers = [receiver, receiver.clone(), receiver.clone()];
    const taken: number[] = [];
    const consumers = receivers.map((mine) =>
      createTask(async () => {
        for await (const item of mine) {
          taken.push(item);
          await sleep(1);
        }
      })
    );

    for (let i = 0; i < 7; i++) await sender.send(i);
    sender.close();
    for (const consumer of consumers) await consumer;

    assertEquals(taken, [0, 1, 2, 3, 4, 5, 6]);
  },
);

testClean(
  "a send that waits arrives although its sender is closed",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    await sender.send(1);
    const sending = createTask(() => sender.send(2));
    await sleep(1);
    sender.close();

    assertEquals(await Array.fromAsync(receiver), [1, 2]);
    await sending;
  },
);

testClean(
  "ChannelSender.closeWith() gives receivers the error, after the items",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    await sender.send(1);
    sender.closeWith(new RangeError("broken source"));
    const taken: number[] = [];

    await assertRejects(
      async () => {
        for await (const item of receiver) taken.push(item);
      },
      RangeError,
      "broken source",
    );
    assertEquals(taken, [1]);
  },
);

testClean(
  "ChannelSender.send() fails when the last receiver is closed, with the item",
  async () => {
    const { sender, receiver, lost } = watched({ capacity: 1 });
    await sender.send(1);
    const sending = createTask(() => sender.send(2));
    await sleep(1);
    const other = receiver.clone();
    receiver.close();
    assertEquals(sending.done, false);
    other.close();

    const error = await assertRejects(
      async () => await sending,
      BrokenChannelError,
      "Cannot send an item: all receivers are closed",
    );
    assertEquals((error as BrokenChannelError).item, 2);
    assertEquals([lost, sender.undelivered], [[1], 1]);
    await assertRejects(() => sender.send(3), BrokenChannelError);
    assertThrows(() => sender.trySend(3), BrokenChannelError);
  },
);

testClean("ChannelReceiver.close() ends those who wait there", async () => {
  const [, receiver] = channel<number>({ capacity: 1 });
  const receiving = createTask(() => receiver.receive());
  await sleep(1);
  receiver.close();

  await assertRejects(async () => await receiving, ChannelClosedError);
});

testClean(
  "an end that is closed refuses calls, and the other clones go on",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    const [sender2, receiver2] = [sender.clone(), receiver.clone()];
    sender.close();
    receiver.close();

    await assertRejects(
      () => sender.send(1),
      ChannelClosedError,
      "Cannot send an item: this sender is closed",
    );
    await assertRejects(
      () => receiver.receive(),
      ChannelClosedError,
      "Cannot receive an item: this receiver is closed",
    );
    assertThrows(() => sender.clone(), ChannelClosedError);
    assertThrows(() => receiver.clone(), ChannelClosedError);
    await assertRejects(() => sender.reserve(), ChannelClosedError);
    assertEquals([sender.closed, receiver.closed], [true, true]);
    await sender2.send(1);
    assertEquals(await receiver2.receive(), 1);
  },
);

testClean(
  "a loop over a receiver that is left half way leaves the channel open",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 3 });
    for (const item of [1, 2, 3]) await sender.send(item);
    for await (const item of receiver) if (item === 2) break;

    assertEquals(await receiver.receive(), 3);
    assertEquals(receiver.closed, false);
  },
);

testClean(
  '"drop-oldest" keeps the newest items, and tells of the others',
  async () => {
    const { sender, receiver, lost } = watched({
      capacity: 2,
      overflow: "drop-oldest",
    });
    for (const item of [1, 2, 3, 4]) await sender.send(item);

    assertEquals([lost, sender.undelivered], [[1, 2], 2]);
    assertEquals([await receiver.receive(), await receiver.receive()], [3, 4]);
  },
);

testClean(
  '"drop-newest" keeps the oldest items, and tells of the others',
  async () => {
    const { sender, receiver, lost } = watched({
      capacity: 2,
      overflow: "drop-newest",
    });
    for (const item of [1, 2, 3]) await sender.send(item);

    assertEquals(lost, [3]);
    assertEquals([await receiver.receive(), await receiver.receive()], [1, 2]);
  },
);

testClean('"error" lets a send fail where there is no room', async () => {
  const { sender, receiver, lost } = watched({
    capacity: 1,
    overflow: "error",
  });
  await sender.send(1);

  await assertRejects(
    () => sender.send(2),
    ChannelFullError,
    "Cannot send an item: the channel holds 1 already",
  );
  assertEquals([lost, await receiver.receive()], [[], 1]);
});

testClean(
  "what onUndelivered throws is reported, and breaks nothing",
  async ({ reports }) => {
    const [sender, receiver] = channel<number>({
      capacity: 1,
      overflow: "drop-oldest",
      onUndelivered() {
        throw new RangeError("broken");
      },
    });
    await sender.send(1);
    await sender.send(2);

    assertEquals(await receiver.receive(), 2);
    assertEquals(takeMessages(reports), [
      'The function "onUndelivered" of a channel has thrown',
    ]);
  },
);

testClean(
  "ChannelSender.reserve() keeps room that nobody else takes",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    const slot = await sender.reserve();
    assertEquals(sender.trySend(1), false);
    const waiting = createTask(() => sender.send(2));
    await sleep(1);
    slot.send(1);
    assertThrows(() => slot.send(3), ChannelClosedError);
    slot[Symbol.dispose]();

    assertEquals([await receiver.receive(), await receiver.receive()], [1, 2]);
    await waiting;
  },
);

testClean("a slot that is given back lets the next in line in", async () => {
  const [sender, receiver] = channel<number>({ capacity: 1 });
  const slot = await sender.reserve();
  const waiting = createTask(() => sender.send(1));
  await sleep(1);
  slot[Symbol.dispose]();
  slot[Symbol.dispose]();
  await waiting;

  assertEquals(await receiver.receive(), 1);
  assertThrows(() => slot.send(2), ChannelClosedError);
});

testClean(
  "ChannelSender.reserve() stands in one line with send()",
  async () => {
    const [sender, receiver] = channel<string>({ capacity: 1 });
    await sender.send("first");
    const reserving = createTask(async () => {
      using slot = await sender.reserve();
      slot.send("reserved");
    });
    const sending = createTask(() => sender.send("sent"));
    await sleep(1);

    const items = [];
    for (let i = 0; i < 3; i++) items.push(await receiver.receive());
    assertEquals(items, ["first", "reserved", "sent"]);
    await reserving;
    await sending;
  },
);

testClean(
  "a slot that is out keeps receivers waiting after the last close",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    const used = await sender.reserve();
    sender.close();
    const all = createTask(() => Array.fromAsync(receiver));
    await sleep(1);
    assertEquals(all.done, false);
    used.send(1);

    assertEquals(await all, [1]);
  },
);

testClean(
  "a slot that is given back after the last close ends receivers",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    const slot = await sender.reserve();
    sender.close();
    const receiving = createTask(() => receiver.receive());
    await sleep(1);
    slot[Symbol.dispose]();

    await assertRejects(async () => await receiving, ChannelClosedError);
  },
);

testClean(
  "a slot fails with the item when the receivers are gone",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    const slot = await sender.reserve();
    const waiting = createTask(() => sender.reserve());
    await sleep(1);
    receiver.close();

    assertThrows(() => slot.send(1), BrokenChannelError);
    await assertRejects(async () => await waiting, ChannelClosedError);
    await assertRejects(() => sender.reserve(), ChannelClosedError);
  },
);

testClean(
  '"drop-oldest" drops the new item if all the room is reserved',
  async () => {
    const { sender, receiver, lost } = watched({
      capacity: 1,
      overflow: "drop-oldest",
    });
    const slot = await sender.reserve();
    await sender.send(1);
    slot.send(2);

    assertEquals([lost, await receiver.receive()], [[1], 2]);
  },
);

testClean(
  "sendOp() and receiveOp() meet, and losers leave no trace",
  async () => {
    const [a, fromA] = channel<string>({ capacity: 0 });
    const [b, fromB] = channel<string>({ capacity: 0 });
    const receiving = createTask(() =>
      select({ a: fromA.receiveOp(), b: fromB.receiveOp() })
    );
    await sleep(1);
    const sent = await select({ b: b.sendOp("to b"), late: sleepOp(1) });

    assertEquals(sent.key, "b");
    assertEquals(await receiving, { key: "b", value: "to b" });
    assertEquals(a.trySend("nobody"), false);
    const late = await select({ a: a.sendOp("nobody"), late: sleepOp(1) });
    assertEquals([late.key, a.waiting], ["late", 0]);
  },
);

testClean(
  "sendOp() and receiveOp() fail like send() and receive()",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 0 });
    const receiving = createTask(() => select({ a: receiver.receiveOp() }));
    await sleep(1);
    sender.close();

    await assertRejects(async () => await receiving, ChannelClosedError);
    await assertRejects(
      () => select({ a: sender.sendOp(1) }),
      ChannelClosedError,
    );
    receiver.close();
    await assertRejects(
      () => select({ a: receiver.receiveOp() }),
      ChannelClosedError,
    );
    assertThrows(() => sender.sendOp(Promise.resolve() as never), TypeError);
  },
);

testClean("a channel takes falsy items for what they are", async () => {
  const [sender, receiver] = channel<unknown>({ capacity: 4 });
  for (const item of [undefined, null, 0, ""]) sender.trySend(item);
  sender.close();

  assertEquals(await Array.fromAsync(receiver), [undefined, null, 0, ""]);
});

testClean(
  "a receiver takes from who waits to send, though all room is kept",
  async () => {
    const [sender, receiver] = channel<number>({ capacity: 1 });
    using slot = await sender.reserve();
    const sending = [1, 2].map((n) => createTask(() => sender.send(n)));
    await sleep(1);

    assertEquals(sender.trySend(3), false);
    assertEquals(await receiver.receive(), 1);
    assertEquals(receiver.tryReceive(), 2);
    for (const task of sending) await task;
    slot.send(4);
    assertEquals(receiver.tryReceive(), 4);
  },
);

Deno.test("channel() rejects wrong options", async () => {
  const wrong = (options: unknown) => () =>
    channel(options as ChannelOptions<number>);

  assertThrows(
    wrong({ capacity: -1 }),
    RangeError,
    'Cannot create a channel as "capacity" must be an integer >= 0: current value is -1',
  );
  assertThrows(wrong({}), TypeError, '"capacity" must be an integer >= 0');
  assertThrows(
    wrong({ capacity: 1, overflow: "burst" }),
    TypeError,
    'Cannot create a channel as "overflow" must be one of "suspend", "drop-oldest", "drop-newest", "error": current value is "burst"',
  );
  assertThrows(wrong({ capacity: 1, onUndelivered: 1 }), TypeError);
  const [sender] = channel<unknown>({ capacity: 0 });
  await assertRejects(() => sender.send(Promise.resolve()), TypeError);
  await assertRejects(
    () => sender.reserve(),
    RangeError,
    'Cannot reserve room as "capacity" must be an integer >= 1: current value is 0',
  );
});

Deno.test("the errors of a channel are of their own classes", () => {
  assertInstanceOf(new ChannelClosedError(), InvalidStateError);
  assertInstanceOf(new BrokenChannelError(1), InvalidStateError);
  assertInstanceOf(new ChannelFullError(), RangeError);
});

for (const capacity of [0, 1, 3]) {
  Deno.test(`a channel of capacity ${capacity} loses and doubles nothing in any order`, async () => {
    await explore(async () => {
      const [sender, receiver] = channel<number>({ capacity });
      const received: number[] = [];
      const sent: number[] = [];
      const senders = [0, 10, 20].map((first) =>
        createTask(async () => {
          using end = sender.clone();
          for (const item of [first, first + 1]) {
            await end.send(item);
            sent.push(item);
          }
        })
      );
      sender.close();
      const receivers = [0, 1].map(() =>
        createTask(async () => {
          for await (const item of receiver) received.push(item);
        })
      );
      await checkpoint();
      senders[1]?.cancel();
      receivers[1]?.cancel();
      for (
        const { outcome } of senders.map((t) => ({ outcome: t.outcome() }))
      ) {
        await outcome;
      }
      await receivers[0];
      assertEquals(received.toSorted(), sent.toSorted());
      const fromFirst = received.filter((item) => item < 10);
      assertEquals(fromFirst, fromFirst.toSorted());
    }, { runs: 100, seed: SEED });
  });
}

testClean("a select that would send and receive does one of them", async () => {
  const [sender, receiver] = channel<number>({ capacity: 1 });
  const slot = await sender.reserve();
  const choosing = createTask(() =>
    select({ send: sender.sendOp(1), receive: receiver.receiveOp() })
  );
  await sleep(1);
  slot[Symbol.dispose]();

  assertEquals((await choosing).key, "send");
  assertEquals(receiver.size, 1);
});

testClean(
  "a reserve() that is dropped does not end the process when it is cancelled",
  async () => {
    const [sender] = channel<number>({ capacity: 1 });
    using _slot = await sender.reserve();
    await timeout(1, async () => {
      sender.reserve();
      await sleep(5);
    }).catch(() => {});

    assertEquals(sender.waiting, 0);
  },
);

testClean(
  "a loop over a channel throws what a sender was closed with, whatever it is",
  async () => {
    for (const error of [new ChannelClosedError("upstream"), undefined, 0]) {
      const [sender, receiver] = channel<number>({ capacity: 1 });
      sender.trySend(1);
      sender.closeWith(error);
      const items: number[] = [];
      const outcome = await (async () => {
        for await (const item of receiver) items.push(item);
      })().then(() => ({}), (thrown) => ({ thrown }));

      assertEquals(items, [1]);
      assertEquals(outcome, { thrown: error });
    }
  },
);
