import {
  assert,
  assertEquals,
  assertFalse,
  assertStrictEquals,
} from "@std/assert";
import { Claim } from "../../_internal/claim.ts";
import { CancelledError } from "../../_internal/errors.ts";
import type { EventLoop } from "../../_internal/event_loop.ts";
import { rootFrame } from "../../_internal/frame.ts";
import { ScopeNode } from "../../_internal/scope_node.ts";
import { withScopeOf } from "../../_internal/spawn.ts";
import { ManualClock } from "./_manual_clock.ts";

/** A wait that is parked in a scope. */
function park(scope: ScopeNode): Claim<void> {
  const frame = withScopeOf(rootFrame(scope.loop), scope);
  const claim = new Claim<void>(frame, "a test");
  claim.wait();
  return claim;
}

/** A scope below another, or below the root. */
function child(parent: ScopeNode, name: string, graceMs?: number): ScopeNode {
  const { loop } = parent;
  return graceMs === undefined
    ? new ScopeNode(loop, parent, { name })
    : new ScopeNode(loop, parent, { name, graceMs });
}

/** The names of all scopes below, parents first. */
function namesBelow(scope: ScopeNode): string[] {
  return [...scope.descendants()].map(({ title }) => title);
}

/** A new loop whose time stands, and its root. */
function newRoot(): { loop: EventLoop; clock: ManualClock; root: ScopeNode } {
  const clock = new ManualClock();
  return { loop: clock.loop, clock, root: clock.loop.root };
}

Deno.test("ScopeNode.cancel() strikes the scopes and claims below, and no others", () => {
  const { root } = newRoot();
  const a = child(root, "a");
  const aa = child(a, "aa");
  const b = child(root, "b");
  const claims = [a, aa, b].map(park);
  const error = new CancelledError();

  assert(a.cancel(error));

  assertEquals(claims.map(({ pending }) => pending), [false, false, true]);
  assertEquals([a.struck, aa.struck, b.struck], [error, error, undefined]);
  assertEquals([a.cancelledBy, aa.cancelledBy], [error, undefined]);
  assertFalse(a.cancel(new CancelledError()));
});

Deno.test("ScopeNode.cancel() further out replaces what is struck further in", () => {
  const { root } = newRoot();
  const outer = child(root, "outer");
  const inner = child(outer, "inner");
  const [first, second] = [new CancelledError(), new CancelledError()];

  inner.cancel(first);
  outer.cancel(second);

  assertStrictEquals(inner.struck, second);
  assertStrictEquals(inner.cancelledBy, first);
});

Deno.test("ScopeNode.cancel() further in leaves what is struck further out", () => {
  const { root } = newRoot();
  const outer = child(root, "outer");
  const inner = child(outer, "inner");
  const [first, second] = [new CancelledError(), new CancelledError()];

  outer.cancel(first);
  inner.cancel(second);

  assertStrictEquals(inner.struck, first);
});

Deno.test("a scope that is opened in a struck one is struck at once", () => {
  const { root } = newRoot();
  const outer = child(root, "outer");
  const error = new CancelledError();
  outer.cancel(error);

  assertStrictEquals(child(outer, "late").struck, error);
});

Deno.test("an uncancellable scope is struck when its grace is over", () => {
  const { clock, loop, root } = newRoot();
  const reports: string[] = [];
  loop.exceptionHandler = ({ message }) => reports.push(message);
  const outer = child(root, "outer");
  const cleanup = child(outer, "cleanup", 10);
  const below = child(cleanup, "below");
  const error = new CancelledError();
  outer.cancel(error);
  assertEquals([cleanup.struck, below.struck], [undefined, undefined]);

  clock.advance(9);
  assertEquals(below.struck, undefined);
  clock.advance(1);

  assertEquals([cleanup.struck, below.struck], [error, error]);
  assertEquals(reports.length, 1);
});

Deno.test("an uncancellable scope that is left takes its grace along", () => {
  const { loop, root } = newRoot();
  const outer = child(root, "outer");
  const cleanup = child(outer, "cleanup", 10);
  outer.cancel(new CancelledError());
  assertEquals(loop.timers.busy, 1);

  cleanup.exit();

  assertEquals(loop.timers.busy, 0);
});

Deno.test("ScopeNode.cancelHard() goes through uncancellable scopes", () => {
  const { root } = newRoot();
  const outer = child(root, "outer");
  const cleanup = child(outer, "cleanup", 10);
  const claim = park(child(cleanup, "below"));
  const error = new CancelledError();

  outer.cancelHard(error);

  assertStrictEquals(cleanup.struck, error);
  assertFalse(claim.pending);
  cleanup.exit();
});

Deno.test("ScopeNode.exit() hands claims and scopes to the nearest live ancestor", () => {
  const { root } = newRoot();
  const outer = child(root, "outer");
  const middle = child(outer, "middle");
  const inner = child(middle, "inner");
  const claim = park(middle);
  middle.exit();
  assertEquals(namesBelow(root), ["outer", "inner"]);
  assertStrictEquals(inner.parent, outer);

  const error = new CancelledError();
  outer.cancel(error);

  assertFalse(claim.pending);
  assertStrictEquals(inner.struck, error);
  assertStrictEquals(middle.live(), outer);
});

Deno.test("ScopeNode.exit() of a struck scope keeps it struck", () => {
  const { root } = newRoot();
  const scope = child(root, "scope");
  const error = new CancelledError();
  scope.cancel(error);

  scope.exit();
  scope.exit();

  assertStrictEquals(scope.live(), scope);
  assertStrictEquals(child(scope, "late").struck, error);
  assertFalse(scope.cancel(new CancelledError()));
});

Deno.test("ScopeNode.live() goes up past all that have ended normally", () => {
  const { root } = newRoot();
  const a = child(root, "a");
  const b = child(a, "b");
  const c = child(b, "c");
  for (const scope of [a, b, c]) scope.exit();

  assertStrictEquals(c.live(), root);
  assertStrictEquals(child(c, "late").parent, root);
});

Deno.test("ScopeNode.moveTo() puts a scope under another, which may strike it", () => {
  const { root } = newRoot();
  const from = child(root, "from");
  const to = child(root, "to");
  const moved = child(from, "moved");
  const claim = park(moved);
  moved.moveTo(to);
  from.cancel(new CancelledError());
  assert(claim.pending);

  const error = new CancelledError();
  to.cancel(error);

  assertStrictEquals(moved.struck, error);
  assertEquals([...from.descendants()], []);
});

Deno.test("ScopeNode.moveTo() a struck scope strikes at once", () => {
  const { root } = newRoot();
  const to = child(root, "to");
  const moved = child(root, "moved");
  const error = new CancelledError();
  to.cancel(error);

  moved.moveTo(to);

  assertStrictEquals(moved.struck, error);
});

Deno.test("ScopeNode.deadline cancels with an error of its own kind", () => {
  const { clock, loop, root } = newRoot();
  const scope = child(root, "scope");
  scope.deadline = 10;
  clock.advance(10);

  assertEquals(scope.struck?.kind, "deadline");
  assertEquals([scope.struck?.scope, scope.struck?.at], ["scope", 10]);
  assertEquals(loop.timers.busy, 0);
});

Deno.test("ScopeNode.cancel() and exit() take the deadline back", () => {
  const { loop, root } = newRoot();
  const cancelled = child(root, "cancelled");
  const left = child(root, "left");
  cancelled.deadline = 10;
  left.deadline = 10;
  assertEquals(loop.timers.busy, 2);

  cancelled.cancel(new CancelledError());
  left.exit();

  assertEquals(loop.timers.busy, 0);
});

Deno.test("ScopeNode.descendants() gives parents before their children, in order", () => {
  const { root } = newRoot();
  const a = child(root, "a");
  child(a, "aa");
  child(a, "ab");
  child(root, "b");

  assertEquals(namesBelow(root), ["a", "aa", "ab", "b"]);
});

Deno.test("ScopeNode.cancel() reaches 100,000 children", () => {
  const COUNT = 100_000;
  const { root } = newRoot();
  const scope = child(root, "scope");
  const children = Array.from(
    { length: COUNT },
    () => new ScopeNode(root.loop, scope),
  );
  const error = new CancelledError();

  scope.cancel(error);

  assert(children.every(({ struck }) => struck === error));
  for (const node of children) node.exit();
  assertEquals([...root.descendants()], [scope]);
});

Deno.test("ScopeNode.cancel() goes down 100,000 levels", () => {
  const DEPTH = 100_000;
  const { root } = newRoot();
  const nodes = [root];
  for (let i = 0; i < DEPTH; i++) {
    nodes.push(new ScopeNode(root.loop, nodes[i]));
  }
  const error = new CancelledError();

  nodes[1]?.cancel(error);

  assertStrictEquals(nodes[DEPTH]?.struck, error);
  assertEquals(nodes[DEPTH]?.effectiveDeadline, Infinity);
});

Deno.test("a cancellation remembers at most 32 scopes", () => {
  const { root } = newRoot();
  const outer = child(root, "outer");
  for (let i = 0; i < 100; i++) child(outer, `${i}`);
  const error = new CancelledError();

  outer.cancel(error);

  assertEquals(error.through.length, 32);
  assertEquals(error.through[0], "outer");
});
