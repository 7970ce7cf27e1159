import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Once } from "../../_internal/once.ts";
import { testClean } from "../_leaks.ts";

testClean(
  "Once.join() waits for what was begun, and gives what came of it",
  async ({ virtual }) => {
    const once = new Once<number>("it");
    assertFalse(once.begun);
    const first = createTask(() => once.begin(() => sleep(10, { value: 7 })));
    await sleep(1);
    assert(once.begun);

    assertEquals(await once.join(), 7);
    assertEquals(virtual.now, 10);
    assertEquals([await first, await once.join()], [7, 7]);
  },
);

testClean("Once.begin() has begun for what it calls", async () => {
  const once = new Once<boolean>("it");

  assert(await once.begin(() => Promise.resolve(once.begun)));
});

testClean(
  "Once tells all who ask of a failure, and needs nobody to ask",
  async () => {
    const once = new Once<void>("it");
    const first = once.begin(() => Promise.reject(new RangeError("broken")));
    const second = once.join();

    await assertRejects(() => first, RangeError, "broken");
    await assertRejects(() => second, RangeError, "broken");
    await assertRejects(() => once.join(), RangeError, "broken");
  },
);

testClean(
  "Once.join() that is cancelled leaves the others waiting",
  async () => {
    const once = new Once<number>("it");
    const first = createTask(() => once.begin(() => sleep(10, { value: 7 })));
    await sleep(1);
    const second = createTask(() => once.join());
    const third = createTask(() => once.join());
    await sleep(1);
    second.cancel();

    assertEquals([await first, await third], [7, 7]);
    assert(second.cancelled);
  },
);
