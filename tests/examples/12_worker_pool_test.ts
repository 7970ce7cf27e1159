import { explore } from "@ilmek/async/explore";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { main } from "../../examples/12_worker_pool.ts";
import { capture } from "./_capture.ts";
import { compare } from "./_compare.ts";
import { replay } from "./_programs.ts";
import { readTrace, sectionOfVariant } from "./_trace.ts";

const RECORDED = readTrace(12).variants.filter(({ draws, file }) =>
  draws !== null && file.endsWith("virtual.json")
);

for (const variant of RECORDED) {
  Deno.test(`main() prints the recording ${variant.file}`, async () => {
    const virtual = new VirtualLoop({ order: "fifo" });
    const random = replay(variant.draws ?? []);

    const captured = await capture(
      virtual,
      () => virtual.run(() => main({ random })),
    );

    const section = { ...sectionOfVariant(variant), name: "(main)" };
    assertEquals(compare([section], captured, { tolerance: 0.006 }), []);
  });
}

Deno.test("main() gives every result, in the order of the jobs", async () => {
  const virtual = new VirtualLoop();
  let draws = 0;
  let results: string[] = [];

  await capture(virtual, () =>
    virtual.run(async () => {
      results = await main({ random: () => (draws++ % 4) / 4 });
    }));

  assertEquals(
    results.map((result) => result.split(" ")[0]),
    Array.from({ length: 10 }, (_, id) => `Item-${id}`),
  );
});

Deno.test("main() has no more jobs at once than workers, whoever is quick", async () => {
  for (let workers = 1; workers <= 5; workers++) {
    const virtual = new VirtualLoop();
    let state = workers;
    const random = () => (state = (state * 16807) % 2147483647) / 2147483647;

    const { lines } = await capture(
      virtual,
      () => virtual.run(() => main({ random, workers, jobs: 12 })),
    );

    const busy = new Set<string>();
    for (const { text } of lines.slice(0, -1)) {
      const [worker = "", what] = text.split(" ");
      if (what === "görevi") assert(!busy.has(worker) && busy.add(worker));
      else assert(busy.delete(worker), text);
      assert(busy.size <= workers);
    }
    assertEquals([busy.size, lines.length], [0, 25]);
  }
});

Deno.test("main() tells of a job that fails, and does the others", async () => {
  const virtual = new VirtualLoop();
  const fault = new RangeError("work");
  let draws = 0;
  const random = () => {
    if (draws++ === 1) throw fault;
    return 0;
  };

  const { lines } = await capture(
    virtual,
    () =>
      virtual.run(async () => {
        assertEquals(await assertRejects(() => main({ random })), fault);
      }),
  );

  const told = lines.map(({ text }) => text);
  assert(told.includes("Worker-1 hata aldı: RangeError: work"));
  assertEquals(told.filter((text) => text.includes("tamamladı:")).length, 9);
});

Deno.test("main() loses no job in any order", async () => {
  const { log } = console;
  console.log = () => {};
  try {
    await explore(async () => {
      const results = await main({ random: () => 0, workers: 2, jobs: 4 });
      assertEquals(new Set(results).size, 4);
    }, { runs: 50 });
  } finally {
    console.log = log;
  }
});
