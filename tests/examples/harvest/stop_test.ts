import { isCancelled } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Stop } from "../../../examples/harvest/stop.ts";
import { testClean } from "../../_leaks.ts";

testClean(
  "Stop lets what is under way go on, but not for ever",
  async () => {
    using stop = new Stop();
    stop.ask(143);
    const atOnce = [stop.drain.aborted, stop.abandon.aborted];

    await sleep(2000);

    assertEquals(atOnce, [true, false]);
    assert(stop.abandon.aborted);
    assertEquals(stop.exitCode, 143);
  },
);

testClean("Stop waits no longer when it is asked again", () => {
  using stop = new Stop();

  stop.ask(130);
  stop.ask(143);

  assert(stop.abandon.aborted);
  assertEquals(stop.exitCode, 130);
});

testClean(
  "Stop.unlessAsked() ends what it runs, and gives nothing then",
  async () => {
    using stop = new Stop();

    const work = stop.unlessAsked(() => sleep(60_000, { value: 1 }));
    stop.ask(130);

    assertEquals(await work, undefined);
  },
);

testClean(
  "Stop.unlessAsked() gives the value and the error of what it runs",
  async () => {
    using stop = new Stop();

    const value = await stop.unlessAsked(() => sleep(1, { value: 1 }));
    const error = await assertRejects(
      () => stop.unlessAsked(() => Promise.reject(new RangeError("no"))),
      RangeError,
    );

    assertEquals(value, 1);
    assert(!isCancelled(error));
  },
);
