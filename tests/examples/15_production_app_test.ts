import { explore } from "@ilmek/async/explore";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  createApplication,
  createConnectionPool,
  main,
  startApplication,
} from "../../examples/15_production_app.ts";
import { capture, type Captured } from "./_capture.ts";
import { compare } from "./_compare.ts";
import { linesOf, permissionsOf, runProgram } from "./_processes.ts";
import { expectedVariant, type TraceSection } from "./_trace.ts";

const FILE = "15_production_app.ts";
const GUIDE = { workerCount: 3, shutdownMs: 10_000, healthIntervalMs: 2000 };

/** Signals cannot be sent to other processes on Windows. */
const ignore = Deno.build.os === "windows";

/** A recording with its heading as the name. */
function sectionOf(file: string): TraceSection {
  const recorded = expectedVariant(15, file);
  const [heading, ...events] = recorded.events;
  const name = /^=== (.*) ===$/.exec(heading?.text ?? "")?.[1] ?? "";
  return { ...recorded, name, events };
}

/** What is printed in virtual time, without times and levels. */
async function printed(fn: () => Promise<unknown>): Promise<Captured> {
  const virtual = new VirtualLoop({ order: "fifo" });
  return await capture(virtual, () => virtual.run(fn));
}

function texts({ lines }: Captured): string[] {
  return lines.map(({ text }) => text.replace(/^.* - /, ""));
}

Deno.test("main() prints the recording of the corrected pool", async () => {
  const captured = await printed(() => main());

  const section = sectionOf("py/out/ex15_fixed.virtual.json");
  assertEquals(compare([section], captured), []);
});

Deno.test("startApplication() prints the recording of the application, corrected", async () => {
  const captured = await printed(async () => {
    console.log("=== Production App (Ctrl+C ile durdurun) ===");
    const application = createApplication(GUIDE);
    getRunningLoop().callLater(
      4410,
      () => application.handleSignal("SIGTERM"),
    );
    await startApplication(application);
  });

  const section = sectionOf("py/out/ex15_prod.real.json");
  assertEquals(compare([section], captured, { tolerance: 0.011 }), []);
});

Deno.test("the pool has exactly as many connections as it may, in any order", async () => {
  const { log } = console;
  console.log = () => {};
  try {
    await explore(async () => {
      const pool = createConnectionPool(2);
      const seen = new Set<string>();
      let open = 0;
      const use = () =>
        pool.use(async ({ name }) => {
          seen.add(name);
          assert(++open <= 2);
          await sleep(1);
          open--;
        });
      await Promise.all([use(), use(), use(), use(), use()]);
      await pool.close();
      assertEquals(seen, new Set(["Connection-1", "Connection-2"]));
    }, { runs: 50 });
  } finally {
    console.log = log;
  }
});

Deno.test("main() makes no more connections than callers, and ends, whatever their numbers", async () => {
  for (const maxConnections of [1, 2, 3, 7]) {
    const captured = await printed(() => main({ maxConnections, workers: 5 }));

    const names = texts(captured)
      .flatMap((text) => /aldı: (.*)$/.exec(text)?.[1] ?? []);
    assertEquals(names.length, 5);
    assertEquals(new Set(names).size, Math.min(5, maxConnections));
    const rounds = Math.ceil(5 / maxConnections);
    assertEquals(captured.total, 0.5 + rounds);
  }
});

Deno.test("a caller that fails gives its connection back", async () => {
  const virtual = new VirtualLoop();

  await virtual.run(async () => {
    const pool = createConnectionPool(1);
    await assertRejects(
      () => pool.use(() => Promise.reject(new RangeError("use"))),
      RangeError,
    );
    using lease = await pool.acquire();
    assertEquals(lease.resource.name, "Connection-1");
    lease.release();
    // A second time it does nothing.
    lease.release();
    await pool.close();
  });
});

Deno.test("an application whose start is cancelled shuts down", async () => {
  let running: boolean | undefined;

  const captured = await printed(async () => {
    const application = createApplication({ ...GUIDE, workerCount: 1 });
    await assertRejects(
      () => timeout(500, () => startApplication(application)),
      TimeoutError,
    );
    running = application.running;
  });

  assertEquals(running, false);
  assertEquals(captured.total, 1);
  assertEquals(
    texts(captured).slice(-3),
    [
      "Health check iptal edildi",
      "Tüm worker'lar düzgün şekilde durdu",
      "Uygulama durdu",
    ].map((text) => text),
  );
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  const fn = async () => {
    const { code, out, err } = await runProgram(FILE, {
      flags: await permissionsOf(FILE),
      args: ["--production"],
      interruptAfter: "Health check: 3/3 worker aktif",
      signal,
    });

    const lines = linesOf(out).map(({ text }) => text.replace(/^.* - /, ""));
    assertEquals(lines, [
      "=== Production App (Ctrl+C ile durdurun) ===",
      "Uygulama başlatılıyor...",
      "Uygulama başlatıldı",
      "Worker-0 başlatıldı",
      "Worker-1 başlatıldı",
      "Worker-2 başlatıldı",
      "Health check başlatıldı",
      "Health check: 3/3 worker aktif",
      `Signal alındı: ${signal}`,
      "Graceful shutdown başlatılıyor...",
      "Worker-0 durdu",
      "Worker-1 durdu",
      "Worker-2 durdu",
      "Health check iptal edildi",
      "Tüm worker'lar düzgün şekilde durdu",
      "Uygulama durdu",
    ]);
    assertEquals(err, "");
    assertEquals(code, 0);
  };
  Deno.test({
    name: `${FILE} --production ends well by ${signal}`,
    ignore,
    fn,
  });
}
