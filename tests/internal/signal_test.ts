import { assertEquals } from "@std/assert";
import { listen } from "../../_internal/signal.ts";

/** A controller whose signal counts its abort listeners. */
function countedController() {
  const controller = new AbortController();
  const { signal } = controller;
  const count = { now: 0 };
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count.now++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (
    ...args: Parameters<typeof removeEventListener>
  ) => {
    count.now--;
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, count };
}

Deno.test("listen() tells all, in order, with the reason", () => {
  const { controller, signal } = countedController();
  const log: string[] = [];
  for (const name of ["a", "b"]) {
    listen(signal, (r) => log.push(`${name} ${r}`));
  }

  controller.abort("why");

  assertEquals(log, ["a why", "b why"]);
});

Deno.test("listen() puts one listener on a signal, and takes it away with the last", () => {
  const { signal, count } = countedController();
  const stops = [1, 2, 3].map(() => listen(signal, () => {}));
  assertEquals(count.now, 1);

  stops[1]?.();
  stops[1]?.();
  stops[0]?.();
  assertEquals(count.now, 1);
  stops[2]?.();

  assertEquals(count.now, 0);
});

Deno.test("listen() may begin anew after it has ended", () => {
  const { controller, signal, count } = countedController();
  const log: string[] = [];
  listen(signal, () => log.push("first"))();

  listen(signal, () => log.push("second"));
  assertEquals(count.now, 1);
  controller.abort();

  assertEquals([log, count.now], [["second"], 0]);
});

Deno.test("listen() may be ended while it is told", () => {
  const { controller, signal } = countedController();
  const log: string[] = [];
  const stops: (() => void)[] = [];
  stops.push(listen(signal, () => {
    log.push("a");
    for (const stop of stops) stop();
  }));
  stops.push(listen(signal, () => log.push("b")));

  controller.abort();

  assertEquals(log, ["a"]);
});

Deno.test("10,000 listeners on one signal cost one event listener", () => {
  const { controller, signal, count } = countedController();
  let told = 0;
  const stops = Array.from(
    { length: 10_000 },
    () => listen(signal, () => told++),
  );
  for (const stop of stops.slice(0, 5000)) stop();
  assertEquals(count.now, 1);

  controller.abort();

  assertEquals(told, 5000);
});
