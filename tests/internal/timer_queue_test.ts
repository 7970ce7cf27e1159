import { assertEquals, assertFalse } from "@std/assert";
import { type Timer, TimerQueue } from "../../_internal/timer_queue.ts";

/** A queue at a time that the test sets, and what it tells. */
class Setup {
  time = 0;
  changes = 0;
  readonly log: string[] = [];
  readonly queue = new TimerQueue(() => this.time, () => this.changes++);

  after(ms: number, name: string, options: { idle?: boolean } = {}): Timer {
    return this.queue.after(ms, this.#target(name), options);
  }

  at(when: number, name: string): Timer {
    return this.queue.at(when, this.#target(name));
  }

  /** Runs all that is due at a time. */
  runTo(time: number): string[] {
    this.time = time;
    const { queue } = this;
    for (
      let timer = queue.takeDue(time, queue.planned);
      timer !== undefined;
      timer = queue.takeDue(time, queue.planned)
    ) {
      timer.run();
    }
    return this.log.splice(0);
  }

  #target(name: string) {
    return { label: name, expire: () => this.log.push(name) };
  }
}

Deno.test("TimerQueue gives timers by their time, then by their age", () => {
  const setup = new Setup();
  setup.after(20, "d");
  setup.after(10, "a");
  setup.at(10, "b");
  setup.after(10, "c");

  assertEquals(setup.queue.next, 10);
  assertEquals(setup.runTo(10), ["a", "b", "c"]);
  assertEquals(setup.queue.next, 20);
  assertEquals(setup.runTo(20), ["d"]);
  assertEquals(setup.queue.next, Infinity);
});

Deno.test("TimerQueue.takeDue() gives nothing that is planned for later", () => {
  const setup = new Setup();
  setup.after(10, "a");

  assertEquals(setup.runTo(9.999), []);
  assertEquals(setup.runTo(10), ["a"]);
});

Deno.test("TimerQueue.at() takes a moment that is past", () => {
  const setup = new Setup();
  setup.time = 100;
  setup.after(0, "now");
  setup.at(50, "past");

  assertEquals(setup.runTo(100), ["past", "now"]);
});

Deno.test("Timer.cancel() takes a timer out, twice does nothing", () => {
  const setup = new Setup();
  const a = setup.after(10, "a");
  const b = setup.after(10, "b");
  setup.after(10, "c");

  b.cancel();
  b.cancel();
  a.cancel();

  assertEquals(setup.queue.busy, 1);
  assertEquals(setup.runTo(10), ["c"]);
});

Deno.test("Timer.cancel() counts for a timer that was taken, but has not run", () => {
  const setup = new Setup();
  setup.after(10, "a");
  const { queue } = setup;
  setup.time = 10;
  const timer = queue.takeDue(10, queue.planned);

  timer?.cancel();
  timer?.run();

  assertEquals(setup.log, []);
});

Deno.test("TimerQueue.busy does not count idle timers", () => {
  const setup = new Setup();
  const idle = setup.after(10, "idle", { idle: true });
  const busy = setup.after(20, "busy");
  assertEquals([setup.queue.busy, setup.queue.next], [1, 10]);

  busy.cancel();
  assertEquals(setup.queue.busy, 0);
  idle.cancel();

  assertEquals([setup.queue.busy, setup.queue.next], [0, Infinity]);
});

Deno.test("TimerQueue tells when another timer has become the next", () => {
  const setup = new Setup();
  setup.after(20, "a");
  setup.after(20, "b");
  const before = setup.changes;
  setup.after(20, "later");
  setup.after(30, "latest").cancel();
  assertEquals(setup.changes, before);
  const soon = setup.after(5, "soon");
  assertEquals(setup.changes, before + 1);

  soon.cancel();

  assertEquals(setup.changes, before + 2);
});

Deno.test("TimerQueue tells when somebody begins or ceases to wait", () => {
  const setup = new Setup();
  setup.after(10, "idle", { idle: true });
  const before = setup.changes;
  const busy = setup.after(20, "busy");
  assertEquals(setup.changes, before + 1);

  busy.cancel();

  assertEquals(setup.changes, before + 2);
});

Deno.test("TimerQueue.clear() forgets all timers", () => {
  const setup = new Setup();
  for (let i = 0; i < 50; i++) setup.after(i % 7, `${i}`);

  setup.queue.clear();

  assertEquals([setup.queue.busy, setup.queue.next], [0, Infinity]);
  assertEquals(setup.runTo(100), []);
});

Deno.test("TimerQueue keeps the order in any order of calls", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const draw = drawer(seed);
  const setup = new Setup();
  let model: { when: number; seq: number; timer: Timer }[] = [];
  let seq = 0;
  for (let step = 0; step < 3000; step++) {
    const choice = draw();
    if (choice < 0.6) {
      const ms = Math.floor(draw() * 20);
      const timer = draw() < 0.5
        ? setup.after(ms, `${seq}`)
        : setup.at(setup.time + ms, `${seq}`);
      model.push({ when: setup.time + ms, seq: seq++, timer });
    } else if (choice < 0.75 && model.length > 0) {
      const [out] = model.splice(Math.floor(draw() * model.length), 1);
      out?.timer.cancel();
    } else {
      const time = setup.time + Math.floor(draw() * 5);
      const due = model.filter(({ when }) => when <= time)
        .sort((a, b) => a.when - b.when || a.seq - b.seq);
      model = model.filter(({ when }) => when > time);
      assertEquals(
        setup.runTo(time),
        due.map(({ seq }) => `${seq}`),
        `seed ${seed}`,
      );
    }
    const next = Math.min(Infinity, ...model.map(({ when }) => when));
    assertEquals(setup.queue.next, next, `seed ${seed}`);
    assertEquals(setup.queue.busy, model.length, `seed ${seed}`);
  }
});

Deno.test("TimerQueue is not troubled by rounding", () => {
  const setup = new Setup();
  setup.time = 0.1 + 0.2;
  setup.at(0.4, "a");
  setup.time = 0.3;
  setup.at(0.4, "b");
  setup.after(0.1, "c");

  const order = setup.runTo(1);

  assertEquals([...order].sort(), ["a", "b", "c"]);
  assertFalse(order.indexOf("b") > order.indexOf("c"));
});

/** Random numbers from 0 to 1 by a linear congruence (Park and Miller). */
function drawer(seed: number): () => number {
  let state = seed % 2147483646 + 1;
  return () => (state = state * 48271 % 2147483647) / 2147483647;
}
