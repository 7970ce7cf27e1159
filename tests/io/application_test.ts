import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type AppConfig,
  Application,
  type ApplicationHttpOptions,
  type ApplicationOptions,
  type ShutdownReport,
} from "@ilmek/async/application";
import { assertNoLeaks } from "@ilmek/async/assert-no-leaks";
import { cancelSweep } from "@ilmek/async/cancel-sweep";
import { CancelledError, InvalidStateError } from "@ilmek/async/errors";
import { explore } from "@ilmek/async/explore";
import { Runner } from "@ilmek/async/runner";
import { withScope } from "@ilmek/async/scope";
import type { Service } from "@ilmek/async/supervisor";
import { SupervisorError } from "@ilmek/async/supervisor";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { runVirtual } from "@ilmek/async/virtual";
import { takeMessages, testClean } from "../_leaks.ts";
import { type Draw, randomly } from "../_random.ts";
import { Program } from "./_program.ts";

/** Signals cannot be sent to other processes on Windows. */
const ignore = Deno.build.os === "windows";
const NET = ["--allow-net=127.0.0.1"];

/** Starts an application, and waits until it has started. */
async function started(options: ApplicationOptions) {
  const application = new Application({ guard: false, ...options });
  const running = createTask(() => application.start());
  await application.untilStarted();
  return { application, running };
}

/** A service that writes down when it begins and ends. */
function logged(
  log: string[],
  name: string,
  options: Partial<Service> = {},
): Service {
  return {
    name,
    async run(service) {
      log.push(`+${name}`);
      await service.untilStopping();
      log.push(`-${name}`);
    },
    ...options,
  };
}

testClean(
  "Application starts services, then workers, and stops them in reverse",
  async () => {
    const log: string[] = [];
    const { application, running } = await started({
      workerCount: 1,
      services: [
        logged(log, "cache", { dependsOn: ["database"] }),
        logged(log, "database"),
      ],
      worker: async (worker) => {
        log.push(`+${worker.name}`);
        await worker.untilStopping();
        log.push(`-${worker.name}`);
      },
      flush: () => void log.push("flush"),
    });
    await sleep(1);
    assert(application.running);

    const report = await application.shutdown();

    assertEquals(log, [
      "+database",
      "+cache",
      "+worker-0",
      "-worker-0",
      "-cache",
      "-database",
      "flush",
    ]);
    assertEquals([report.complete, report.exitCode], [true, 0]);
    assertEquals(report.reason, "shutdown() was called");
    assertEquals([application.running, application.stopping], [false, true]);
    assertEquals(await running, report);
    assertEquals(application.report, report);
    assertEquals(await application.shutdown(), report);
  },
);

testClean(
  "Application has the figures of the guide when it is told none",
  async ({ virtual, reports }) => {
    const seen: number[] = [];
    const health: number[] = [];
    const options: AppConfig & ApplicationOptions = {
      worker: async ({ id }) => {
        seen.push(id);
        await sleep(Infinity);
      },
      onHealth: () => health.push(virtual.now),
    };
    const { application } = await started(options);
    await sleep(10_100);

    assertEquals(application.workers, { active: 4, total: 4 });
    // A step takes 10 s at most, and the health is looked at each 5 s.
    assertEquals(seen, [0, 1, 2, 3, 0, 1, 2, 3]);
    assertEquals(health, [0, 5000, 10_000]);
    assertEquals(takeMessages(reports).length, 4);
    const { deadlineMs } = await application.shutdown();
    assertEquals(deadlineMs, 30_000);
    takeMessages(reports);
  },
);

testClean(
  "a step that takes too long is cancelled, and the worker goes on",
  async ({ reports }) => {
    const log: string[] = [];
    const { application } = await started({
      workerCount: 1,
      taskTimeoutMs: 20,
      worker: async ({ attempt }) => {
        log.push(`begin ${attempt}`);
        try {
          await sleep(log.length === 1 ? 1000 : 5);
          log.push("end");
        } catch (error) {
          log.push("cancelled");
          throw error;
        }
      },
    });
    await sleep(27);

    assertEquals(log, ["begin 1", "cancelled", "begin 1", "end", "begin 1"]);
    assertEquals(takeMessages(reports), [
      'A step of "worker-0" was cancelled: it took longer than 20 ms',
    ]);
    assert((await application.shutdown()).complete);
  },
);

testClean(
  "work in flight is finished, and no more is begun",
  async ({ virtual }) => {
    const log: [number, string][] = [];
    const { application } = await started({
      workerCount: 1,
      worker: async () => {
        log.push([virtual.now, "begin"]);
        await sleep(3000);
        log.push([virtual.now, "end"]);
      },
    });
    await sleep(4000);

    const report = await application.shutdown();

    assertEquals(log.map(([, what]) => what), ["begin", "end", "begin", "end"]);
    assertEquals([report.complete, virtual.now], [true, 6000]);
  },
);

testClean(
  "a step that does not end in time is cut, and named",
  async ({ virtual }) => {
    const { application } = await started({
      workerCount: 1,
      shutdownMs: 1000,
      worker: () => sleep(5000),
    });

    const report = await application.shutdown();

    assert(virtual.now <= 1000);
    assertEquals(report.blocked, [
      { name: "worker-0", how: "cut", waitsFor: [] },
    ]);
    assertEquals([report.complete, report.exitCode], [false, 1]);
  },
);

testClean(
  "what cannot be ended is named by the deadline, with what it waits for",
  async ({ virtual }) => {
    const { application, running } = await started({
      shutdownMs: 1000,
      services: [{
        name: "stuck",
        run: () => uncancellable(() => sleep(60_000), { graceMs: Infinity }),
      }],
    });
    application.handleSignal("SIGTERM");

    const report = await running;

    assertEquals([virtual.now, report.ms], [1000, 1000]);
    assertEquals(report.exitCode, 143);
    assertEquals(
      report.text,
      "Shutdown took 1000 of 1000 ms, after SIGTERM: 1 thing held it up, exit code 143\n" +
        "  stuck did not end\n" +
        '    task "stuck" waits for time to pass',
    );
    assertEquals(`${report}`, report.text);
    await sleep(60_000);
  },
);

testClean(
  "a worker that crashes is told of, and started again",
  async ({ reports }) => {
    const attempts: number[] = [];
    const { application } = await started({
      workerCount: 1,
      supervisor: { restartDelayMs: 10 },
      worker: async ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new RangeError("crashed");
        await sleep(100);
      },
    });
    await sleep(50);

    assertEquals(attempts, [1, 2]);
    assertEquals(application.workers, { active: 1, total: 1 });
    assertEquals(takeMessages(reports), ['Service "worker-0" has failed']);
    await application.shutdown();
  },
);

testClean(
  "a service that crashes too often ends the application, with 1",
  async ({ virtual, reports }) => {
    let attempts = 0;
    const log: string[] = [];
    const application = new Application({
      guard: false,
      services: [
        logged(log, "other"),
        {
          name: "flaky",
          async run() {
            attempts++;
            await sleep(1);
            throw new RangeError("crashed");
          },
        },
      ],
    });

    const error = await assertRejects(
      () => application.start(),
      SupervisorError,
      'without service "flaky"',
    );

    // The first run, and three more within 10 s: it never spins.
    assertEquals(attempts, 4);
    assert(virtual.now >= 50 + 100 + 200);
    assertEquals(log, ["+other", "-other"]);
    const report = application.report as ShutdownReport;
    assertEquals([report.exitCode, report.error], [1, error]);
    assertStringIncludes(report.reason, "more than 3 times within 10000 ms");
    assertEquals(takeMessages(reports).length, 4);
  },
);

testClean(
  "a start that fails still shuts down what was started",
  async ({ reports }) => {
    const log: string[] = [];
    const application = new Application({
      guard: false,
      services: [
        logged(log, "database"),
        {
          name: "broken",
          dependsOn: ["database"],
          readiness: "told",
          run: () => Promise.reject(new RangeError("no")),
        },
      ],
      flush: () => void log.push("flush"),
    });
    const running = createTask(() => application.start());

    await assertRejects(
      () => application.untilStarted(),
      InvalidStateError,
      "it shuts down",
    );
    await assertRejects(() => running.toPromise(), SupervisorError, "to start");

    assertEquals(log, ["+database", "-database", "flush"]);
    assertEquals(application.running, false);
    assertEquals(takeMessages(reports), ['Service "broken" has failed']);
  },
);

testClean("a start that is cancelled shuts down first", async () => {
  const log: string[] = [];
  const application = new Application({
    guard: false,
    services: [logged(log, "database")],
    workerCount: 1,
    worker: () => sleep(7),
  });

  await assertRejects(
    () => timeout(10, () => application.start()),
    TimeoutError,
  );

  assertEquals(log, ["+database", "-database"]);
  assertEquals(application.running, false);
  assertEquals(application.report?.reason, "start() was cancelled");
  assert(application.report?.complete);
});

testClean(
  "an application is started once, and shut down after that",
  async () => {
    const application = new Application({ guard: false });
    await assertRejects(
      () => application.shutdown(),
      InvalidStateError,
      "not st",
    );
    assertThrows(() => application.handleSignal("SIGINT"), InvalidStateError);
    const running = createTask(() => application.start());
    await application.untilStarted();

    await assertRejects(
      () => application.start(),
      InvalidStateError,
      'Cannot start "application": it was started before',
    );

    await application.shutdown();
    await running;
    await assertRejects(() => application.start(), InvalidStateError, "before");
  },
);

testClean(
  "the second signal leaves nobody time, the third ends the process",
  async ({ virtual }) => {
    const codes: number[] = [];
    const names: string[] = [];
    const { application, running } = await started({
      exit: (code) => codes.push(code),
      onSignal: (name) => names.push(name),
      services: [{
        name: "slow",
        shutdownMs: Infinity,
        async run() {
          try {
            await sleep(Infinity);
          } finally {
            await uncancellable(() => sleep(50));
          }
        },
      }],
    });
    application.handleSignal("SIGINT");
    await sleep(100);
    application.handleSignal("SIGTERM");
    await sleep(10);
    assertEquals(codes, []);
    application.handleSignal("SIGTERM");

    assertEquals(codes, [130]);
    const report = await running;
    assertEquals(virtual.now, 150);
    assertEquals([report.hurried, report.exitCode], [true, 130]);
    assertEquals(names, ["SIGINT", "SIGTERM", "SIGTERM"]);
  },
);

testClean(
  "it is not ready first, and goes on for a while before it stops",
  async ({ virtual }) => {
    const log: [number, string][] = [];
    const { application, running } = await started({
      endpointDelayMs: 500,
      onShutdown: (reason) => void log.push([virtual.now, reason]),
      services: [{
        name: "service",
        async run(service) {
          await service.untilStopping();
          log.push([virtual.now, "asked to end"]);
        },
      }],
    });
    assert((await application.health.refresh()).ready.ok);
    await sleep(10);

    application.handleSignal("SIGTERM");

    const { ready, live } = application.health.report();
    assertEquals([ready.ok, live.ok], [false, true]);
    await running;
    assertEquals(log, [[10, "SIGTERM"], [510, "asked to end"]]);
  },
);

testClean(
  "the delay of the endpoints is part of the deadline, and ends by a second signal",
  async ({ virtual }) => {
    const delayed = await started({ endpointDelayMs: 5000, shutdownMs: 1000 });
    assertEquals((await delayed.application.shutdown()).ms, 500);
    const hurried = await started({ endpointDelayMs: 5000 });
    hurried.application.handleSignal("SIGINT");
    await sleep(100);
    hurried.application.handleSignal("SIGINT");

    assertEquals((await hurried.running).ms, 100);
    assertEquals(virtual.now, 600);
  },
);

testClean(
  "a flush that hangs is named, and holds the deadline up no longer",
  async ({ virtual }) => {
    const { application } = await started({
      shutdownMs: 1000,
      flush: () => sleep(60_000),
    });

    const report = await application.shutdown();

    assert(virtual.now <= 1000);
    assertEquals(report.services[0]?.how, "cancelled");
  },
);

testClean(
  "hooks that throw are told of, and break nothing",
  async ({ reports }) => {
    const fail = () => {
      throw new RangeError("no");
    };
    const { application, running } = await started({
      onSignal: fail,
      onShutdown: () => Promise.reject(new RangeError("no")) as unknown as void,
      onReport: fail,
    });

    application.handleSignal("SIGINT");

    assert((await running).complete);
    await sleep(0);
    assertEquals(takeMessages(reports).toSorted(), [
      '"onReport" of "application" has failed',
      '"onShutdown" of "application" has failed',
      '"onSignal" of "application" has failed',
    ]);
  },
);

testClean(
  "services that are objects of a class keep their receiver",
  async () => {
    class Greeter implements Service {
      readonly name = "greeter";
      #greeting = "hello";
      said: string | undefined;

      async run(service: { untilStopping(): Promise<void> }) {
        this.said = this.#greeting;
        await service.untilStopping();
      }
    }
    const greeter = new Greeter();
    const { application } = await started({
      services: [greeter],
      flush: () => {},
    });

    await application.shutdown();

    assertEquals(greeter.said, "hello");
  },
);

testClean("all ends when a significant service has", async () => {
  const application = new Application({
    guard: false,
    supervisor: { autoShutdown: "any-significant" },
    services: [{
      name: "job",
      restart: "temporary",
      significant: true,
      run: () => sleep(10),
    }],
  });

  const report = await application.start();

  assertEquals(report.reason, "its services have ended");
  assertEquals(report.exitCode, 0);
});

testClean("workers that do not wait leave others a turn", async () => {
  let steps = 0;
  const { application } = await started({
    workerCount: 1,
    worker: () => void steps++,
  });

  for (let i = 0; i < 10; i++) await sleep(0);
  await application.shutdown();

  assert(steps > 0);
});

testClean("a start in a cancelled scope has no effect", async () => {
  const application = new Application({ guard: false });

  await withScope(async (scope) => {
    scope.cancel();
    await assertRejects(() => application.start(), CancelledError);
  }).catch(() => {});

  assertEquals(application.running, false);
});

Deno.test("a shutdown is complete, whatever the order of its parts, and whenever it comes", async () => {
  await explore(async () => {
    const log: string[] = [];
    const application = new Application({
      guard: false,
      workerCount: 2,
      worker: () => sleep(2),
      services: [
        logged(log, "web", { dependsOn: ["database"] }),
        logged(log, "database"),
      ],
      flush: () => void log.push("flush"),
    });
    const running = application.start();
    const reports = await Promise.all([
      sleep(0).then(() => application.shutdown()),
      sleep(1).then(() => application.shutdown()),
      running,
    ]);

    for (const report of reports) {
      assertEquals(report, reports[0]);
      assertEquals([report.exitCode, report.blocked], [0, []]);
    }
    // What was begun has ended, in reverse.
    const began = log.filter((line) => line.startsWith("+"));
    const ended = log.filter((line) => line.startsWith("-"));
    assertEquals(
      ended,
      began.toReversed().map((line) => line.replace("+", "-")),
    );
    await assertNoLeaks();
  }, { runs: 50 });
});

Deno.test("a start leaves nothing behind, wherever it is cancelled", async () => {
  await cancelSweep(async (sweep) => {
    const log: string[] = [];
    const application = new Application({
      guard: false,
      workerCount: 1,
      worker: () => sleep(2),
      endpointDelayMs: 1,
      supervisor: { autoShutdown: "any-significant" },
      services: [
        logged(log, "web", { dependsOn: ["database"] }),
        logged(log, "database"),
        {
          name: "end",
          restart: "temporary",
          significant: true,
          run: () => sleep(5),
        },
      ],
      checks: [{ name: "check", check: () => sleep(1) }],
    });
    sweep.check(() => {
      assertEquals(application.running, false);
      assertEquals(log.length % 2, 0);
    });
    await sweep.target(() => application.start());
  });
});

Deno.test("a shutdown keeps its deadline, and names what did not", async () => {
  for (let round = 0; round < 50; round++) await randomly(keepsDeadline);
});

/** Shuts services down that end, or do not, as they are drawn. */
async function keepsDeadline(draw: Draw): Promise<void> {
  const shutdownMs = 100 + draw(5000);
  const stuck = new Set<string>();
  const names = Array.from({ length: 1 + draw(6) }, (_, i) => `service ${i}`);
  const services = names.map((name, i): Service => {
    const isStuck = draw(4) === 0;
    if (isStuck) stuck.add(name);
    const endMs = draw(2 * shutdownMs);
    const cleanupMs = draw(3) === 0 ? draw(20) : 0;
    return {
      name,
      shutdownMs: draw(2) === 0 ? Infinity : draw(1000),
      dependsOn: names.slice(0, i).filter(() => draw(3) === 0),
      async run(service) {
        if (isStuck) {
          const never = () => sleep(100_000);
          return await uncancellable(never, { graceMs: Infinity });
        }
        try {
          await service.untilStopping();
          await sleep(endMs);
        } finally {
          await uncancellable(() => sleep(cleanupMs));
        }
      },
    };
  });
  await runVirtual(async (virtual) => {
    const { application, running } = await started({
      services,
      shutdownMs,
      endpointDelayMs: draw(shutdownMs),
    });
    const start = virtual.now;
    application.handleSignal("SIGTERM");
    if (draw(3) === 0) {
      await sleep(draw(shutdownMs));
      application.handleSignal("SIGTERM");
    }
    const report = await running;

    const ms = virtual.now - start;
    assert(ms <= shutdownMs + 0.001, `${ms} of ${shutdownMs} ms`);
    const named = report.blocked
      .filter(({ how, waitsFor }) => how === "stuck" && waitsFor.length > 0)
      .map(({ name }) => name);
    for (const name of stuck) assert(named.includes(name), name);
    await sleep(200_000);
  });
}

Deno.test("a run that is cancelled hard leaves no time, and ends all the same", async () => {
  const application = new Application({
    services: [{
      name: "deaf",
      shutdownMs: Infinity,
      run: () => uncancellable(() => sleep(60_000), { graceMs: Infinity }),
    }],
  });
  const runner = new Runner({ exceptionHandler: () => {} });
  const running = runner.run(() => application.start());
  while (!application.health.report().startup.ok) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }

  runner.cancel("first");
  runner.cancelHard("second");

  await assertRejects(() => running, CancelledError);
  await runner.close();
  assertEquals(application.running, false);
});

const LOCAL = { hostname: "127.0.0.1", port: 0 } as const;

Deno.test("the health is told where the options say, in as many words as they say", async () => {
  const checks = [{ name: "database", check: () => false }];
  const ask = async (
    http: Omit<ApplicationHttpOptions, "handler">,
    path: string,
    method = "GET",
  ): Promise<[number, unknown]> => {
    const { application, running } = await started({
      checks,
      http: { ...LOCAL, handler: () => new Response("else"), ...http },
    });
    await application.health.refresh();
    const response = await fetch(`${application.url}${path}`, { method });
    const told: [number, unknown] = [response.status, await response.text()];
    await application.shutdown();
    await running;
    return told;
  };

  assertEquals(await ask({}, "/health/ready"), [503, '{"ready":"no"}']);
  assertEquals(await ask({}, "/health/live"), [200, '{"live":"yes"}']);
  assertEquals(await ask({}, "/health/startup"), [200, '{"startup":"yes"}']);
  assertEquals(await ask({}, "/health/other"), [200, "else"]);
  assertEquals(await ask({}, "/health/ready", "POST"), [200, "else"]);
  assertEquals(await ask({ healthPath: "/~" }, "/~/live"), [
    200,
    '{"live":"yes"}',
  ]);
  assertEquals(await ask({ healthPath: null }, "/health/ready"), [200, "else"]);
  assertEquals(await ask({ healthDetails: true }, "/health/ready"), [
    503,
    '{"ready":"no","reasons":["database: Cannot pass health check ' +
    '\\"database\\": it gave false"]}',
  ]);
});

Deno.test("Application() rejects wrong options", () => {
  const wrong: [object, string][] = [
    [{ worker: 1 }, '"worker" must be a function'],
    [{ worker: () => {}, workerCount: -1 }, '"workerCount"'],
    [{ shutdownMs: NaN }, '"shutdownMs"'],
    [{ taskTimeoutMs: -1 }, '"taskTimeoutMs"'],
    [{ healthIntervalMs: "a" }, '"healthIntervalMs"'],
    [{ endpointDelayMs: -1 }, '"endpointDelayMs"'],
    [{ flush: 1 }, '"flush" must be a function'],
    [{ http: {} }, '"http.handler" must be a function'],
    [{ services: [{ name: "a" }] }, '"run" must be a function'],
    [{ checks: [{ name: "a" }] }, '"check" must be a function'],
  ];
  for (const [options, message] of wrong) {
    const error = assertThrows(() => new Application(options));
    assert(error instanceof TypeError || error instanceof RangeError);
    assertStringIncludes(error.message, message);
  }
});

/** The port that a program tells. */
async function portOf(program: Program): Promise<number> {
  return Number(await program.find(/port (\d+)\./));
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

Deno.test({
  name:
    "SIGTERM during 200 requests: not ready first, none is cut, exit code 0",
  ignore,
  async fn() {
    const options = JSON.stringify({ endpointDelayMs: 500 });
    await using program = new Program("application.ts", ["slow", options], NET);
    const base = `http://127.0.0.1:${await portOf(program)}`;
    assertEquals(await statusOf(`${base}/health/ready`), 200);
    const begin = (ms: number) => fetch(`${base}/?ms=${ms}`);
    const requests = Array.from({ length: 200 }, () => begin(600));
    await program.wrote("in flight\n".repeat(200));

    program.kill("SIGTERM");
    await program.wrote("shutdown: SIGTERM");

    // It tells that it is not ready while it still takes requests, and is alive.
    assertEquals(await statusOf(`${base}/health/ready`), 503);
    assertEquals(await statusOf(`${base}/health/live`), 200);
    const late = begin(1);
    const texts = await Promise.all(
      requests.map(async (request) => await (await request).text()),
    );
    assertEquals(new Set(texts), new Set(["waited for 600 ms"]));
    assertEquals(await (await late).text(), "waited for 1 ms");
    const { code, signal, stderr } = await program.end();
    assertEquals([code, signal], [0, null]);
    assert(!stderr.includes("Shutdown took"), stderr);
  },
});

Deno.test({
  name: "the health is told while requests are drained, and others get 503",
  ignore,
  async fn() {
    await using program = new Program("application.ts", ["slow"], NET);
    const base = `http://127.0.0.1:${await portOf(program)}`;
    const request = fetch(`${base}/?ms=1000`);
    await program.wrote("in flight");

    program.kill("SIGTERM");
    await program.wrote("shutdown: SIGTERM");

    assertEquals(await statusOf(`${base}/health/live`), 200);
    assertEquals(await statusOf(`${base}/health/startup`), 200);
    assertEquals(await statusOf(`${base}/health/ready`), 503);
    assertEquals(await statusOf(`${base}/other`), 503);
    assertEquals(await (await request).text(), "waited for 1000 ms");
    assertEquals((await program.end()).code, 0);
  },
});

Deno.test({
  name: "a handler that hangs is named, and the process ends by the deadline",
  ignore,
  async fn() {
    const options = JSON.stringify({ shutdownMs: 300 });
    await using program = new Program("application.ts", ["slow", options], NET);
    const port = await portOf(program);
    const hanging = fetch(`http://127.0.0.1:${port}/hang`).catch(() => {});
    await program.wrote("in flight");
    const start = performance.now();

    program.kill("SIGTERM");

    const { code, stderr } = await program.end();
    const ms = performance.now() - start;
    await (await hanging)?.body?.cancel();
    assert(ms < 3000, `${ms}`);
    assertEquals(code, 143);
    assertMatch(stderr, /Shutdown took \d+ of 300 ms, after SIGTERM: /);
    assertStringIncludes(stderr, "  GET /hang was cut off\n");
    assertStringIncludes(stderr, "  http did not end\n");
    assertStringIncludes(
      stderr,
      '    task "GET /hang" awaits something that the loop cannot see\n',
    );
  },
});

Deno.test({
  name: "WebSockets are closed with 1001, and waited for",
  ignore,
  async fn() {
    await using program = new Program("application.ts", ["chat"], NET);
    const socket = new WebSocket(
      `ws://127.0.0.1:${await portOf(program)}/chat`,
    );
    await new Promise((resolve) => socket.onmessage = resolve);
    const closed = new Promise<CloseEvent>((resolve) =>
      socket.onclose = resolve
    );

    program.kill("SIGINT");

    const { code, wasClean } = await closed;
    assertEquals([code, wasClean], [1001, true]);
    const end = await program.end();
    assertEquals([end.code, end.stderr], [0, ""]);
  },
});

Deno.test("a WebSocket that its client has closed holds nothing up", async () => {
  const { application } = await started({
    http: {
      ...LOCAL,
      handler: (request, { upgradeWebSocket }) => {
        const { socket, response } = upgradeWebSocket();
        socket.onmessage = ({ data }) =>
          socket.send(`${data} of ${request.url}`);
        return response;
      },
    },
  });
  const url = `${application.url}/echo`;
  const socket = new WebSocket(url.replace("http", "ws"));
  await new Promise((resolve) => socket.onopen = resolve);
  socket.send("echo");
  const { data } = await new Promise<MessageEvent>((resolve) =>
    socket.onmessage = resolve
  );
  assertEquals(data, `echo of ${url}`);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close(1000);
  await closed;

  const report = await application.shutdown();

  assertEquals([report.complete, report.exitCode], [true, 0]);
});

Deno.test({
  name: "a WebSocket whose client does not answer is named",
  ignore,
  async fn() {
    const options = JSON.stringify({ shutdownMs: 400 });
    await using program = new Program("application.ts", ["chat", options], NET);
    const port = await portOf(program);
    using client = await Deno.connect({ hostname: "127.0.0.1", port });
    await client.write(new TextEncoder().encode([
      "GET /chat HTTP/1.1",
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "\r\n",
    ].join("\r\n")));
    await client.read(new Uint8Array(1000));

    program.kill("SIGTERM");

    const { code, stderr } = await program.end();
    assertEquals(code, 143);
    assertStringIncludes(stderr, "  GET /chat was cut off\n");
    assertStringIncludes(
      stderr,
      '    task "GET /chat" waits for future "the close of its WebSocket"\n',
    );
  },
});

Deno.test({
  name: "a request that has no time left is cancelled, and named",
  ignore,
  async fn() {
    const options = JSON.stringify({ shutdownMs: 400 });
    await using program = new Program("application.ts", ["slow", options], NET);
    const request = statusOf(
      `http://127.0.0.1:${await portOf(program)}/long?ms=60000`,
    );
    await program.wrote("in flight");

    program.kill("SIGTERM");

    const { code, stderr } = await program.end();
    assertEquals([await request, code], [503, 143]);
    assertStringIncludes(stderr, "  GET /long was cut off\n");
    assertStringIncludes(stderr, '"GET /long" waits for time to pass\n');
    assert(!stderr.includes("http did not end"), stderr);
  },
});

Deno.test({
  name: "a stream without an end is cut, and named",
  ignore,
  async fn() {
    const options = JSON.stringify({ shutdownMs: 400 });
    await using program = new Program("application.ts", ["chat", options], NET);
    const response = await fetch(
      `http://127.0.0.1:${await portOf(program)}/stream`,
    );
    const reading = response.text().catch(() => {});

    program.kill("SIGTERM");

    const { code, stderr } = await program.end();
    await reading;
    assertEquals(code, 143);
    assertStringIncludes(stderr, "  GET /stream was cut off\n");
  },
});

Deno.test({
  name: "a second signal hurries",
  ignore,
  async fn() {
    await using program = new Program("application.ts", ["deaf"]);
    await program.wrote("ready");
    program.kill("SIGTERM");
    await program.wrote("shutdown: SIGTERM");
    const start = performance.now();

    program.kill("SIGTERM");

    const { code, stdout, stderr } = await program.end();
    assert(performance.now() - start < 2000);
    assertEquals(code, 143);
    assertStringIncludes(stdout, "cancelled\ncleaned up\n");
    assertStringIncludes(
      stderr,
      "after SIGTERM: it was hurried, exit code 143",
    );
  },
});

Deno.test({
  name: "a third signal ends the process with 128 and its number",
  ignore,
  async fn() {
    await using program = new Program("application.ts", ["stuck"]);
    await program.wrote("ready");

    for (let i = 0; i < 3; i++) {
      program.kill("SIGINT");
      await sleep(50);
    }

    const { code, signal } = await program.end();
    assertEquals([code, signal], [130, null]);
  },
});

for (
  const [name, message] of [
    ["rejects", "nobody has looked at a promise that was rejected"],
    ["throws", "nobody has caught an error"],
  ] as const
) {
  Deno.test(`an error that nobody catches ends the program well, with 1 (${name})`, async () => {
    await using program = new Program("application.ts", [name]);

    const { code, stdout, stderr } = await program.end();

    assertEquals(code, 1);
    assertStringIncludes(stdout, "asked to end\n");
    assertStringIncludes(stderr, `Cannot go on: ${message}`);
    assertStringIncludes(stderr, "RangeError: nobody");
    assertStringIncludes(stderr, "everything has ended, exit code 1");
  });
}

Deno.test("a crash loop ends the program with 1, and says why", async () => {
  await using program = new Program("application.ts", ["crashes"]);

  const { code, stdout, stderr } = await program.end();

  assertEquals(code, 1);
  assertEquals(stdout.match(/attempt/g)?.length, 4);
  assertStringIncludes(stderr, "more than 3 times within 10000 ms");
});

Deno.test("a port that is taken makes the start fail, with 1", async () => {
  await using program = new Program("application.ts", ["taken"], NET);

  const { code, stderr } = await program.end();

  assertEquals(code, 1);
  assertStringIncludes(stderr, "AddrInUse");
  assertStringIncludes(
    stderr,
    'without service "http": it has failed to start',
  );
});

Deno.test({
  name: "signals have their usual effect again at the end",
  ignore,
  async fn() {
    await using program = new Program("application.ts", ["goes-on"]);
    await program.wrote("ready");
    program.kill("SIGINT");
    await program.wrote("start() gave 0");

    program.kill("SIGINT");

    assertEquals((await program.end()).signal, "SIGINT");
  },
});

Deno.test("Application.url is gone when nothing is served any more", async () => {
  const { application, running } = await started({
    http: { ...LOCAL, handler: () => new Response("else") },
  });
  assert(application.url?.startsWith("http://"));

  await application.shutdown();
  await running;

  assertEquals(application.url, undefined);
});

testClean(
  "an application that is stopped while it starts ends at once",
  async ({ virtual }) => {
    const application = new Application({
      guard: false,
      services: [{
        name: "slow",
        readiness: "told",
        run: (service) => service.untilStopping(),
      }],
      worker: () => sleep(10),
      flush: () => {},
    });
    const running = createTask(() => application.start());
    await sleep(50);

    const report = await application.shutdown();
    await running;

    assertEquals([report.complete, report.exitCode], [true, 0]);
    assertEquals(virtual.now, 50);
  },
);
