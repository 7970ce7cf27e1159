import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { CancelledError } from "../../_internal/errors.ts";
import type { EventLoop } from "../../_internal/event_loop.ts";
import { rootFrame } from "../../_internal/frame.ts";
import type { Job, JobKind } from "../../_internal/job.ts";
import { ManualClock } from "./_manual_clock.ts";

const job = (log: string[], name: string, kind: JobKind = "turn"): Job => ({
  kind,
  label: name,
  run: () => log.push(name),
});

/** Passes the door of a loop so many times, without waiting. */
function pass(loop: EventLoop, times: number): Promise<string>[] {
  const promise = Promise.resolve("passed");
  return Array.from(
    { length: times },
    () => loop.pass(promise, rootFrame(loop)),
  );
}

Deno.test("EventLoop.turn() runs jobs in order, those that come meanwhile later", () => {
  const clock = new ManualClock();
  const { loop } = clock;
  const log: string[] = [];
  loop.turn({
    ...job(log, "a"),
    run: () => {
      log.push("a");
      loop.turn(job(log, "c"));
    },
  });
  loop.turn(job(log, "b"));
  assertEquals(clock.turns, 1);

  clock.turn();
  assertEquals([log, clock.turns], [["a", "b"], 1]);
  clock.turn();

  assertEquals(log, ["a", "b", "c"]);
});

Deno.test("EventLoop.defer() runs jobs in a microtask, in order", async () => {
  const { loop } = new ManualClock();
  const log: string[] = [];
  loop.defer(job(log, "a", "deferred"));
  loop.defer(job(log, "b", "deferred"));
  assertEquals(log, []);

  await null;

  assertEquals(log, ["a", "b"]);
});

Deno.test("EventLoop.pass() gives the promise as it is, as a rule", () => {
  const { loop } = new ManualClock();
  const promise = Promise.resolve(1);

  assertStrictEquals(loop.pass(promise, rootFrame(loop)), promise);
});

Deno.test("EventLoop.pass() waits for a turn now and then", async () => {
  const clock = new ManualClock();

  const passed = pass(clock.loop, 2000);
  assert(clock.turns > 0);
  clock.turn();

  assertEquals(new Set(await Promise.all(passed)), new Set(["passed"]));
});

Deno.test("EventLoop.hold() tells of each hold, and of its end once", () => {
  const { loop } = new ManualClock();
  const seen: string[][] = [];
  loop.observer = {
    parked: () => {},
    unparked: () => {},
    started: () => {},
    ended: () => {},
    held: (holds) => seen.push([...holds].map(({ what }) => what)),
  };

  const first = loop.hold("first");
  const second = loop.hold("second");
  first();
  first();
  second();

  assertEquals(seen, [["first"], ["first", "second"], ["second"], []]);
});

Deno.test("EventLoop.runTimers() leaves what is planned meanwhile for the next step", () => {
  const clock = new ManualClock();
  const { timers } = clock.loop;
  let rounds = 0;
  const target = {
    label: "again",
    expire: () => {
      if (++rounds < 100) timers.after(0, target);
    },
  };
  timers.after(1, target);

  clock.advance(1);
  assertEquals(rounds, 1);
  clock.advance(0);

  assertEquals(rounds, 2);
});

Deno.test("EventLoop.renewRoot() strikes what ran below the former root", () => {
  const { loop } = new ManualClock();
  const { root } = loop;
  const error = new CancelledError(undefined, { kind: "shutdown" });

  loop.renewRoot(error);

  assertStrictEquals(root.struck, error);
  assertEquals([loop.root.struck, loop.root.title], [undefined, "root"]);
});

Deno.test("EventLoop.close() drops timers and turns", () => {
  const clock = new ManualClock();
  const { loop } = clock;
  const log: string[] = [];
  loop.turn(job(log, "turn"));
  loop.timers.after(1, { label: "timer", expire: () => log.push("timer") });

  loop.close();
  clock.turn();
  clock.advance(10);

  assertEquals([log, loop.timers.busy, loop.closed], [[], 0, true]);
});
