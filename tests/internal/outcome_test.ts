import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { CancelledError } from "../../_internal/errors.ts";
import { rootFrame } from "../../_internal/frame.ts";
import { DoneCallback, Outcome, outcomeOf } from "../../_internal/outcome.ts";
import { ScopeNode } from "../../_internal/scope_node.ts";
import { withScopeOf } from "../../_internal/spawn.ts";
import { ManualClock } from "./_manual_clock.ts";

/** An outcome that notes how often it is to be cancelled, and its loop. */
function newOutcome() {
  const { loop } = new ManualClock();
  const asked: CancelledError[] = [];
  const outcome = new Outcome<string>({
    label: "a test",
    cancelWith: (error) => asked.push(error) > 0,
  });
  const frame = rootFrame(loop);
  /** Waits in a scope of its own. */
  const join = (options: { owns?: boolean } = {}) => {
    const scope = new ScopeNode(loop, loop.root);
    const promise = outcome.join(withScopeOf(frame, scope), options);
    promise.catch(() => {});
    return { scope, promise };
  };
  return { loop, outcome, asked, join };
}

Deno.test("an outcome is settled once", async () => {
  const { outcome, join } = newOutcome();
  const { promise } = join();

  assert(outcome.resolve("value"));
  assertFalse(outcome.resolve("again"));
  assertFalse(outcome.reject(new TypeError("late")));
  assertFalse(outcome.cancel(new CancelledError()));

  assertEquals([outcome.state, outcome.value], ["done", "value"]);
  assertEquals(await promise, "value");
});

Deno.test("Outcome.reject() tells a cancellation from a failure", () => {
  const failed = newOutcome().outcome;
  const cancelled = newOutcome().outcome;

  failed.reject(new TypeError("wrong"));
  cancelled.reject(new CancelledError());

  assertEquals([failed.state, cancelled.state], ["failed", "cancelled"]);
});

Deno.test("claims and callbacks are served in one line", async () => {
  const { loop, outcome, join } = newOutcome();
  const log: string[] = [];
  outcome.subscribe(loop, () => log.push("callback 1"));
  const waiter = join().promise.then(() => log.push("claim"));
  outcome.subscribe(loop, () => log.push("callback 2"));

  outcome.resolve("value");
  assertEquals(log, []);
  await waiter;

  assertEquals(log.filter((name) => name.startsWith("callback")), [
    "callback 1",
    "callback 2",
  ]);
  assertEquals(log.length, 3);
});

Deno.test("Outcome.subscribe() calls later where the outcome is there already", async () => {
  const { loop, outcome } = newOutcome();
  const log: string[] = [];
  outcome.resolve("value");

  outcome.subscribe(loop, () => log.push("called"));
  assertEquals(log, []);
  await null;

  assertEquals(log, ["called"]);
});

Deno.test("Outcome.unsubscribe() takes back those that are meant", async () => {
  const { loop, outcome } = newOutcome();
  const log: string[] = [];
  const first = outcome.subscribe(loop, () => log.push("first"));
  outcome.subscribe(loop, () => log.push("second"));

  assertEquals(outcome.unsubscribe((callback) => callback === first), 1);
  assertEquals(outcome.unsubscribe((callback) => callback === first), 0);
  outcome.resolve("value");
  await null;

  assertEquals(log, ["second"]);
});

Deno.test("the last waiter that is struck cancels, and waits for the end", async () => {
  const { outcome, asked, join } = newOutcome();
  const one = join();
  const two = join();
  const [first, second] = [new CancelledError(), new CancelledError()];
  one.scope.cancel(first);
  assertEquals(asked, []);
  assertStrictEquals(await assertRejects(() => one.promise), first);

  two.scope.cancel(second);
  assertEquals(asked, [second]);
  outcome.reject(second);

  assertStrictEquals(await assertRejects(() => two.promise), second);
});

Deno.test("the last waiter gets what struck it, not what struck the work", async () => {
  const { outcome, join } = newOutcome();
  const waiter = join();
  const own = new CancelledError("own");
  waiter.scope.cancel(own);

  outcome.reject(new CancelledError("other"));

  assertStrictEquals(await assertRejects(() => waiter.promise), own);
});

Deno.test("a waiter that owns the outcome cancels it at once", () => {
  const { asked, join } = newOutcome();
  join();
  const owner = join({ owns: true });
  const error = new CancelledError();

  owner.scope.cancel(error);

  assertEquals(asked, [error]);
});

Deno.test("a waiter in a struck scope is struck right after it has entered", () => {
  const { loop, outcome, asked } = newOutcome();
  const scope = new ScopeNode(loop, loop.root);
  const error = new CancelledError();
  scope.cancel(error);

  outcome.join(withScopeOf(rootFrame(loop), scope)).catch(() => {});

  assertEquals(asked, [error]);
});

Deno.test("Outcome.join() counts as a look at the outcome", () => {
  const { outcome, join } = newOutcome();
  assertFalse(outcome.observed);

  join();

  assert(outcome.observed);
});

Deno.test("outcomeOf() gives undefined for what is neither task nor future", () => {
  for (const value of [undefined, null, 1, "x", {}, Promise.resolve()]) {
    assertEquals(outcomeOf(value), undefined);
  }
});

Deno.test("Outcome.unwatch() takes out a callback, which may be put elsewhere", async () => {
  const { loop, outcome } = newOutcome();
  const other = newOutcome().outcome;
  const log: string[] = [];
  const callback = new DoneCallback(loop, () => log.push("called"));
  outcome.watch(callback);
  outcome.unwatch(callback);
  other.watch(callback);

  outcome.resolve("value");
  await null;
  assertEquals(log, []);
  other.resolve("value");
  other.unwatch(callback);
  await null;

  assertEquals(log, ["called"]);
});
