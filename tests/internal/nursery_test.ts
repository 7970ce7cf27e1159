import { assertEquals } from "@std/assert";
import { CancelledError } from "../../_internal/errors.ts";
import { rootFrame } from "../../_internal/frame.ts";
import { Nursery } from "../../_internal/nursery.ts";
import { ManualClock } from "./_manual_clock.ts";

/** A nursery on a loop of its own, and what becomes of a wait for its end. */
function newNursery() {
  const frame = rootFrame(new ManualClock().loop);
  const nursery = new Nursery(frame, { name: "team" });
  const log: string[] = [];
  const gone = () =>
    nursery.gone(frame).then(
      () => log.push("gone"),
      (error) => log.push(`${error}`),
    );
  return { frame, nursery, log, gone };
}

Deno.test("Nursery.gone() waits until the last child has left", async () => {
  const { nursery, log, gone } = newNursery();
  nursery.entered();
  nursery.entered();
  const waits = [gone(), gone()];

  nursery.left();
  await null;
  assertEquals([log, nursery.live], [[], 1]);
  nursery.left();
  await Promise.all(waits);

  assertEquals([log, nursery.live], [["gone", "gone"], 0]);
});

Deno.test("Nursery.gone() waits for a child that came while it was told", async () => {
  const { nursery, log, gone } = newNursery();
  nursery.entered();
  const wait = gone();

  nursery.left();
  nursery.entered();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(log, []);
  nursery.left();
  await wait;

  assertEquals(log, ["gone"]);
});

Deno.test("Nursery.gone() is not ended by a cancellation", async () => {
  const { frame, nursery, log, gone } = newNursery();
  nursery.entered();
  const wait = gone();

  frame.scope.cancel(new CancelledError());
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(log, []);
  nursery.left();
  await wait;

  assertEquals(log, ["gone"]);
});

Deno.test("Nursery.gone() of an empty nursery does not wait", async () => {
  const { log, gone } = newNursery();

  await gone();

  assertEquals(log, ["gone"]);
});
