import { explore } from "@ilmek/async/explore";
import { getRunningLoop } from "@ilmek/async/loop";
import { Queue } from "@ilmek/async/queue";
import { currentTask } from "@ilmek/async/task";
import { TaskGroupError } from "@ilmek/async/task-group-error";
import { VirtualLoop } from "@ilmek/async/virtual";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import {
  consumer,
  main,
  type MainOptions,
} from "../../examples/05_producer_consumer.ts";
import { capture, type Captured } from "./_capture.ts";
import { compare } from "./_compare.ts";
import {
  type Draw,
  readTrace,
  sectionOfVariant,
  type TraceVariant,
} from "./_trace.ts";

const LAST = "Producer-Consumer işlemi tamamlandı";

/** Recordings of a corrected program: they are rounded to 2 digits. */
const CORRECTED = readTrace(5).variants.filter(({ file }) =>
  file.includes("fixed") && file.endsWith("virtual.json")
);

for (const variant of CORRECTED) {
  Deno.test(`main() prints the corrected recording ${variant.file}`, async () => {
    const virtual = new VirtualLoop({ order: "fifo" });
    const random = replayInTime(variant, virtual);

    const captured = await capture(
      virtual,
      () => virtual.run(() => main({ random })),
    );

    const section = { ...sectionOfVariant(variant), name: "(main)" };
    assertEquals(compare([section], captured, { tolerance: 0.006 }), []);
  });
}

Deno.test("main() ends and loses nothing, whoever is quick or slow", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const draw = drawer(seed);
    const options = {
      random: draw,
      producers: 1 + Math.floor(draw() * 5),
      consumers: 1 + Math.floor(draw() * 5),
      capacity: 1 + Math.floor(draw() * 10),
    };
    const virtual = new VirtualLoop({ order: seed % 2 ? "fifo" : "system" });

    const captured = await capture(
      virtual,
      () => virtual.run(() => main(options)),
    );

    checkLines(captured, options, `seed ${seed}`);
  }
});

Deno.test("main() ends and loses nothing in any order", async () => {
  const options = { producers: 2, consumers: 2, capacity: 2 };

  await explore(async () => {
    const loop = getRunningLoop();
    const lines: Captured["lines"][number][] = [];
    const { log } = console;
    console.log = (text: string) => {
      lines.push({ t: loop.time() / 1000, stream: "out", text });
    };
    try {
      await main({ ...options, random: () => 0 });
    } finally {
      console.log = log;
    }
    checkLines({ lines, total: NaN }, options, "an order");
  }, { runs: 50 });
});

Deno.test("main() fails with the error of a consumer, and waits for nobody", async () => {
  const fault = new RangeError("work");
  const random = () => {
    if (currentTask()?.name === "Consumer 1") throw fault;
    return 0.5;
  };
  const virtual = new VirtualLoop();

  const error = await assertRejects(
    () => capture(virtual, () => virtual.run(() => main({ random }))),
    TaskGroupError,
  );

  assertEquals(error.errors, [fault]);
  assert(virtual.now < 1000);
});

Deno.test("consumer() says that an item is done with, also if its work fails", async () => {
  const virtual = new VirtualLoop();

  await virtual.run(async () => {
    const queue = new Queue<string>();
    await queue.put("item");
    const uniform = () => {
      throw new RangeError("work");
    };

    await assertRejects(() => consumer(queue, { id: 0, uniform }), RangeError);
    await queue.join();
  });
});

/** Checks what holds for every run. */
function checkLines(
  { lines }: Captured,
  options: Required<Omit<MainOptions, "random">>,
  which: string,
): void {
  const { producers, consumers, capacity } = options;
  const made = new Map<string, number>();
  const done = new Set<string>();
  const next = new Map<string, number>();
  assertEquals(lines.at(-1)?.text, LAST, which);
  for (const { t, text } of lines.slice(0, -1)) {
    const [, id = "", verb, item = ""] =
      /^(?:Producer|Consumer) (\d+) (üretti|işledi): (.+)$/.exec(text) ?? [];
    if (verb === "üretti") {
      const index = next.get(id) ?? 0;
      assertEquals(item, `P${id}-Item${index}`, which);
      next.set(id, index + 1);
      made.set(item, t);
      // Each consumer holds one, the queue the others.
      assert(made.size - done.size <= capacity + consumers, which);
    } else {
      assertEquals(verb, "işledi", which);
      const since = made.get(item) ?? NaN;
      // The work on an item takes 0.1 s at least.
      assert(t - since >= 0.1 - 1e-9, `${which}: ${item} after ${t - since}`);
      assert(!done.has(item), `${which}: ${item} twice`);
      done.add(item);
    }
  }
  assertEquals(done.size, 5 * producers, which);
  assertEquals(made.size, 5 * producers, which);
}

/** Gives recorded random numbers, and sees that each is drawn at its time. */
function replayInTime(
  { draws }: TraceVariant,
  virtual: VirtualLoop,
): () => number {
  const left: Draw[] = [...draws ?? []];
  assert(left.length > 0);
  return () => {
    const draw = left.shift();
    if (draw === undefined) throw new RangeError("Cannot draw once more");
    const [, min, max, value, at] = draw;
    assertAlmostEquals(virtual.now / 1000, at, 0.0005);
    return (value - min) / (max - min);
  };
}

/** Random numbers from 0 to 1, by Mulberry32 (Tommy Ettinger). */
function drawer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
