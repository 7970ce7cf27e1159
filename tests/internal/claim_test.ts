import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { Claim, ClaimList, type Line } from "../../_internal/claim.ts";
import { CancelledError } from "../../_internal/errors.ts";
import type { EventLoop } from "../../_internal/event_loop.ts";
import { rootFrame } from "../../_internal/frame.ts";
import { ManualClock } from "./_manual_clock.ts";

/** A claim on a loop of its own, and what is told to its line. */
function newClaim(loop: EventLoop = new ManualClock().loop) {
  const log: string[] = [];
  const line: Line = { withdraw: () => log.push("withdrawn") };
  const claim = new Claim<string>(rootFrame(loop), "a test");
  claim.line = line;
  claim.cleanup = () => log.push("cleaned up");
  return { claim, log, loop };
}

Deno.test("Claim.grant() hands the value over, once", async () => {
  const { claim, log } = newClaim();
  const promise = claim.wait();

  assert(claim.grant("value"));

  assertFalse(claim.grant("again"));
  assertFalse(claim.fail(new TypeError("late")));
  assertFalse(claim.cancel(new CancelledError()));
  assertEquals(await promise, "value");
  assertEquals(log, ["withdrawn", "cleaned up"]);
});

Deno.test("Claim.fail() ends the wait with the very error", async () => {
  const { claim } = newClaim();
  const promise = claim.wait();
  const error = new TypeError("failed");

  assert(claim.fail(error));

  assertFalse(claim.grant("late"));
  assertStrictEquals(await assertRejects(() => promise), error);
});

Deno.test("Claim.cancel() leaves line and scope, in the same step", () => {
  const { claim, log, loop } = newClaim();
  claim.wait();
  assertEquals([...loop.root.claims()], [claim]);

  assert(claim.cancel(new CancelledError()));

  assertEquals([...loop.root.claims()], []);
  assertEquals([claim.scope, claim.pending], [undefined, false]);
  assertEquals(log, ["withdrawn", "cleaned up"]);
  assertFalse(claim.grant("late"));
});

Deno.test("a cancelled claim may be dropped, a failed one is its owner's", async () => {
  const { claim } = newClaim();
  claim.wait();

  claim.cancel(new CancelledError());

  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("a claim resolves with falsy values as they are", async () => {
  const loop = new ManualClock().loop;
  for (const value of [undefined, null, 0, false, ""]) {
    const claim = new Claim<unknown>(rootFrame(loop), "a test");
    const promise = claim.wait();
    claim.grant(value);
    assertStrictEquals(await promise, value);
  }
});

Deno.test("Claim.label tells who waits for what", () => {
  const { claim } = newClaim();

  assertEquals(claim.label, "the run waits for a test");
});

Deno.test("ClaimList serves the head first", async () => {
  const { loop } = new ManualClock();
  const list = new ClaimList();
  const claims = ["a", "b", "c"].map((name) =>
    new Claim<string>(rootFrame(loop), name)
  );
  const promises = claims.map((claim) => {
    list.push(claim as Claim);
    return claim.wait();
  });
  assertEquals([list.size, list.head], [3, claims[0] as Claim]);

  for (let claim = list.shift(); claim; claim = list.shift()) {
    claim.grant(`${claim.target}!`);
  }

  assertEquals(await Promise.all(promises), ["a!", "b!", "c!"]);
  assertEquals([list.size, list.head], [0, undefined]);
});

Deno.test("ClaimList forgets a claim that gives up, wherever it stands", () => {
  const { loop } = new ManualClock();
  const list = new ClaimList();
  const claims = ["a", "b", "c"].map((name) => {
    const claim = new Claim(rootFrame(loop), name);
    list.push(claim);
    claim.wait();
    return claim;
  });
  const error = new CancelledError();

  claims[1]?.cancel(error);
  claims[0]?.cancel(error);

  assertEquals(list.size, 1);
  assertStrictEquals(list.shift(), claims[2]);
});

Deno.test("a claim that was taken out of its line is not withdrawn from it", () => {
  const { loop } = new ManualClock();
  const list = new ClaimList();
  const claim = new Claim(rootFrame(loop), "a test");
  list.push(claim);
  claim.wait();

  list.shift()?.grant("value");

  assertEquals([list.size, claim.line], [0, undefined]);
});

Deno.test("a loop with a door decides at once, and resumes when the door says so", async () => {
  const { loop } = new ManualClock();
  const jobs: { run(): void }[] = [];
  loop.door = {
    push: (job) => {
      jobs.push(job);
    },
    pass: (promise) => promise,
  };
  const claim = new Claim<string>(rootFrame(loop), "a test");
  let resumed = false;
  const promise = claim.wait().then(() => resumed = true);

  claim.grant("value");
  await null;
  assertEquals([claim.pending, resumed, jobs.length], [false, false, 1]);
  for (const job of jobs) job.run();
  await promise;

  assert(resumed);
});

Deno.test("ClaimList.insert() lets a claim pass those at the end", () => {
  const line = new ClaimList();
  const { loop } = new ManualClock();
  const add = (rank: number) => {
    const claim = new Claim(rootFrame(loop), "a test");
    claim.value = rank;
    line.insert(claim, (other) => (other.value as number) > rank);
    return claim;
  };
  for (const rank of [2, 1, 2, 3, 1]) add(rank);
  const first = add(0);
  assertStrictEquals(line.head, first);
  first.cancel(new CancelledError());

  const ranks = [];
  for (let c = line.shift(); c !== undefined; c = line.shift()) {
    ranks.push(c.value);
  }
  assertEquals(ranks, [1, 1, 2, 2, 3]);
});
