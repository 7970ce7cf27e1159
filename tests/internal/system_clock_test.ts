import { assert, assertEquals } from "@std/assert";
import { EventLoop } from "../../_internal/event_loop.ts";
import type { SystemClock } from "../../_internal/system_clock.ts";

/** A timer of the platform, as the clock under test sees it. */
class NativeTimer {
  refed = true;
  readonly ms: number;
  readonly fn: () => void;

  constructor(fn: () => void, ms: number) {
    this.fn = fn;
    this.ms = ms;
  }

  ref(): void {
    this.refed = true;
  }

  unref(): void {
    this.refed = false;
  }
}

/** The platform's time and timers, moved by hand. */
class Platform {
  time = 0;
  readonly timers = new Set<NativeTimer>();
  readonly intervals = new Set<NativeTimer>();
  readonly immediates: (() => void)[] = [];

  /** Runs what waits for the next turn, until nothing does. */
  settle(): void {
    for (let fn = this.immediates.shift(); fn; fn = this.immediates.shift()) {
      fn();
    }
  }

  /** Fires the one native timer. */
  fire(): void {
    const [timer] = this.timers;
    assert(timer !== undefined);
    this.time += timer.ms;
    this.timers.delete(timer);
    timer.fn();
    this.settle();
  }
}

let loads = 0;

/** A loop on a system clock that has captured a platform of our own. */
async function loopOn(platform: Platform): Promise<EventLoop> {
  const { setTimeout, clearTimeout, setImmediate, setInterval, clearInterval } =
    globalThis;
  const { now } = performance;
  const fakes: Record<string, unknown> = {
    setTimeout: (fn: () => void, ms: number) => {
      const timer = new NativeTimer(fn, ms);
      platform.timers.add(timer);
      return timer;
    },
    clearTimeout: (timer: NativeTimer) => platform.timers.delete(timer),
    setInterval: (fn: () => void, ms: number) => {
      const timer = new NativeTimer(fn, ms);
      platform.intervals.add(timer);
      return timer;
    },
    clearInterval: (timer: NativeTimer) => platform.intervals.delete(timer),
    setImmediate: (fn: () => void) => platform.immediates.push(fn),
  };
  Object.assign(globalThis, fakes);
  performance.now = () => platform.time;
  try {
    // Another query makes another instance of the module, which captures anew.
    const path = `../../_internal/system_clock.ts?load=${loads++}`;
    const module = await import(path) as { SystemClock: typeof SystemClock };
    return new EventLoop(new module.SystemClock());
  } finally {
    Object.assign(globalThis, {
      setTimeout,
      clearTimeout,
      setImmediate,
      setInterval,
      clearInterval,
    });
    performance.now = now;
  }
}

const target = (log: string[], name: string) => ({
  label: name,
  expire: () => log.push(name),
});

Deno.test("SystemClock puts all timers on one native timer", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  const log: string[] = [];
  for (const ms of [30, 10, 20]) loop.timers.after(ms, target(log, `${ms}`));
  platform.settle();

  assertEquals([...platform.timers].map(({ ms }) => ms), [10]);
  platform.fire();
  assertEquals(log, ["10"]);
  assertEquals([...platform.timers].map(({ ms }) => ms), [10]);
  platform.fire();
  platform.fire();

  assertEquals(log, ["10", "20", "30"]);
  assertEquals(platform.timers.size, 0);
});

Deno.test("SystemClock clears its native timer when the last timer leaves", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  const timer = loop.timers.after(10, target([], "a"));
  platform.settle();
  assertEquals(platform.timers.size, 1);

  timer.cancel();
  platform.settle();

  assertEquals(platform.timers.size, 0);
});

Deno.test("SystemClock sets no native timer for one that comes and goes in a turn", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);

  loop.timers.after(10, target([], "a")).cancel();
  platform.settle();

  assertEquals(platform.timers.size, 0);
});

Deno.test("SystemClock waits beyond 2^31-1 ms in pieces", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  const log: string[] = [];
  loop.timers.after(2 ** 32, target(log, "late"));
  platform.settle();

  let pieces = 0;
  for (; platform.timers.size > 0; pieces++) {
    assert([...platform.timers].every(({ ms }) => ms <= 2 ** 31 - 1));
    assertEquals(log, []);
    platform.fire();
  }

  assertEquals([log, pieces], [["late"], 3]);
  assert(platform.time >= 2 ** 32);
});

Deno.test("SystemClock is never early where native timers are whole numbers", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  const times: number[] = [];
  loop.timers.after(1.5, {
    label: "a",
    expire: () => times.push(platform.time),
  });
  platform.settle();

  platform.fire();

  assert((times[0] ?? 0) >= 1.5);
});

Deno.test("SystemClock goes on waiting if a native timer fires early", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  const log: string[] = [];
  loop.timers.after(10, target(log, "a"));
  platform.settle();

  platform.time -= 4;
  platform.fire();
  assertEquals([log, platform.timers.size], [[], 1]);
  platform.fire();

  assertEquals(log, ["a"]);
});

Deno.test("SystemClock does not hold the process for idle timers", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  loop.timers.after(10, target([], "idle"), { idle: true });
  platform.settle();

  assertEquals([...platform.timers].map(({ refed }) => refed), [false]);
});

Deno.test("SystemClock holds the process for a timer behind an idle one", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  loop.timers.after(10, target([], "idle"), { idle: true });
  platform.settle();

  const busy = loop.timers.after(20, target([], "busy"));
  platform.settle();
  assertEquals([...platform.timers].map(({ refed }) => refed), [true]);

  busy.cancel();
  platform.settle();
  assertEquals([...platform.timers].map(({ refed }) => refed), [false]);
});

Deno.test("SystemClock.keepAlive() holds the process until it is released", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);

  const release = loop.clock.keepAlive();
  assertEquals(platform.intervals.size, 1);
  release();

  assertEquals(platform.intervals.size, 0);
});

Deno.test("SystemClock gives one turn for many callbacks", async () => {
  const platform = new Platform();
  const loop = await loopOn(platform);
  const log: string[] = [];
  for (const name of ["a", "b"]) {
    loop.turn({ kind: "turn", label: name, run: () => log.push(name) });
  }
  assertEquals(platform.immediates.length, 1);

  platform.settle();

  assertEquals(log, ["a", "b"]);
});
