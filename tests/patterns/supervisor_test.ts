import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { InvalidStateError } from "@ilmek/async/errors";
import { Future } from "@ilmek/async/future";
import { select } from "@ilmek/async/select";
import { sleep, sleepOp } from "@ilmek/async/sleep";
import {
  HeartbeatError,
  type Service,
  type ServiceContext,
  ServiceStartError,
  Supervisor,
  SupervisorError,
  type SupervisorOptions,
} from "@ilmek/async/supervisor";
import { createTask } from "@ilmek/async/task";
import { timeout, TimeoutError } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { takeMessages, testClean } from "../_leaks.ts";

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
      try {
        await service.untilStopping();
      } finally {
        log.push(`-${name}`);
      }
    },
    ...options,
  };
}

/** Starts a supervisor, and waits until its services are ready. */
async function started(
  services: Service[],
  options: SupervisorOptions = {},
) {
  const supervisor = new Supervisor(services, {
    random: () => 1,
    restartDelayMs: 10,
    ...options,
  });
  const running = createTask(() => supervisor.run());
  await supervisor.untilStarted();
  return { supervisor, running };
}

testClean(
  "Supervisor starts services in the order of their dependencies, and stops them in reverse",
  async () => {
    const log: string[] = [];
    const { supervisor, running } = await started([
      logged(log, "web", { dependsOn: ["database", "cache"] }),
      logged(log, "cache", { dependsOn: ["database"] }),
      logged(log, "database"),
    ]);
    assertEquals(log, ["+database", "+cache", "+web"]);
    assertEquals(supervisor.services.map(({ state }) => state), [
      "running",
      "running",
      "running",
    ]);

    const stops = await supervisor.stop();
    assertEquals(log.slice(3), ["-web", "-cache", "-database"]);
    assertEquals(stops.map(({ name, how }) => `${name} ${how}`), [
      "web drained",
      "cache drained",
      "database drained",
    ]);
    assertEquals(await running, stops);
    assertEquals(await supervisor.stop(), stops);
  },
);

testClean(
  "a service is started when those it depends on say that they are ready",
  async ({ virtual }) => {
    const log: string[] = [];
    const { supervisor, running } = await started([
      {
        name: "slow",
        readiness: "told",
        async run(service) {
          await sleep(50);
          service.ready();
          service.ready();
          await service.untilStopping();
        },
      },
      logged(log, "user", { dependsOn: ["slow"] }),
    ]);

    assertEquals([virtual.now, log], [50, ["+user"]]);
    await supervisor.stop();
    await running;
  },
);

testClean(
  "who waits for the start is told that it has failed",
  async ({ reports }) => {
    const supervisor = new Supervisor([{
      name: "broken",
      readiness: "told",
      run: () => Promise.reject(new TypeError("no")),
    }]);
    const running = createTask(() => supervisor.run());

    await assertRejects(() => supervisor.untilStarted(), InvalidStateError);
    await assertRejects(() => running.toPromise(), SupervisorError);
    assertEquals(takeMessages(reports), ['Service "broken" has failed']);
  },
);

testClean(
  "a service that fails in the first start stops all others",
  async ({ reports }) => {
    const log: string[] = [];
    const supervisor = new Supervisor([
      logged(log, "good"),
      {
        name: "bad",
        readiness: "told",
        async run() {
          await sleep(5);
          throw new RangeError("no port");
        },
      },
    ]);
    const error = await assertRejects(
      () => supervisor.run(),
      SupervisorError,
      'Cannot go on without service "bad": it has failed to start',
    );

    assertInstanceOf(error.cause, RangeError);
    assertEquals([error.service, log], ["bad", ["+good", "-good"]]);
    assertEquals(takeMessages(reports), ['Service "bad" has failed']);
  },
);

testClean(
  "a service that is not ready in time has failed",
  async ({ reports }) => {
    const supervisor = new Supervisor([
      {
        name: "late",
        readiness: "told",
        startMs: 20,
        run: () => sleep(Infinity),
      },
    ]);
    const error = await assertRejects(() => supervisor.run(), SupervisorError);

    assertInstanceOf(error.cause, ServiceStartError);
    assertEquals(
      (error.cause as Error).message,
      'Cannot start service "late": it is not ready after 20 ms',
    );
    takeMessages(reports);
  },
);

testClean(
  "a service that crashes is started again, after a delay that grows",
  async ({ virtual, reports }) => {
    const starts: number[] = [];
    const { supervisor, running } = await started([
      {
        name: "flaky",
        async run(service) {
          starts.push(virtual.now);
          if (starts.length > 3) return await service.untilStopping();
          await sleep(1);
          throw new RangeError("crashed");
        },
      },
    ], { maxRestarts: 3 });
    await sleep(1000);

    assertEquals(starts, [0, 11, 32, 73]);
    assertEquals(supervisor.services[0]?.attempts, 4);
    assertEquals(takeMessages(reports).length, 3);
    await supervisor.stop();
    await running;
  },
);

testClean(
  "the delay begins anew when a service was stable",
  async ({ virtual, reports }) => {
    const starts: number[] = [];
    const { supervisor, running } = await started([
      {
        name: "flaky",
        async run(service) {
          starts.push(virtual.now);
          if (starts.length === 4) return await service.untilStopping();
          await sleep(starts.length === 2 ? 500 : 1);
          throw new RangeError("crashed");
        },
      },
    ], { stableMs: 500 });
    await sleep(1000);

    assertEquals(starts, [0, 11, 521, 542]);
    takeMessages(reports);
    await supervisor.stop();
    await running;
  },
);

testClean(
  "a service that crashes too often makes the supervisor give up",
  async ({ reports }) => {
    const log: string[] = [];
    let runs = 0;
    const { running } = await started([
      {
        name: "broken",
        async run() {
          runs++;
          await sleep(1);
          throw new RangeError(`crash ${runs}`);
        },
      },
      logged(log, "other"),
    ]);
    const error = await assertRejects(
      async () => await running,
      SupervisorError,
      "it had to be started again more than 3 times within 10000 ms",
    );

    assertEquals([runs, log], [4, ["+other", "-other"]]);
    assertEquals((error.cause as Error).message, "crash 4");
    assertEquals(error.stops.map(({ name }) => name), ["other"]);
    takeMessages(reports);
  },
);

testClean("crashes that are far apart are forgiven", async ({ reports }) => {
  let runs = 0;
  const { supervisor, running } = await started([
    {
      name: "weekly",
      async run() {
        runs++;
        await sleep(6000);
        throw new RangeError("crashed");
      },
    },
  ]);
  await sleep(60_000);

  assert(runs >= 9);
  takeMessages(reports);
  await supervisor.stop();
  await running;
});

for (
  const { strategy, restarted } of [
    { strategy: "one-for-one", restarted: ["b"] },
    { strategy: "rest-for-one", restarted: ["b", "c"] },
    { strategy: "one-for-all", restarted: ["a", "b", "c", "d"] },
  ] as const
) {
  testClean(
    `"${strategy}" starts ${restarted.join(", ")} again when b crashes`,
    async ({ reports }) => {
      const log: string[] = [];
      const crash = new Future<void>();
      const { supervisor, running } = await started([
        logged(log, "a"),
        {
          name: "b",
          dependsOn: ["a"],
          async run(service) {
            log.push("+b");
            if (service.attempt > 1) return await service.untilStopping();
            await select({ crash, stop: service.stoppingOp() });
          },
        },
        logged(log, "c", { dependsOn: ["b"] }),
        logged(log, "d"),
      ], { strategy });
      log.length = 0;
      crash.setException(new RangeError("crashed"));
      await sleep(100);

      const starts = log.filter((line) => line.startsWith("+")).toSorted();
      assertEquals(starts, restarted.map((name) => `+${name}`));
      assertEquals(
        supervisor.services.map(({ state }) => state),
        ["running", "running", "running", "running"],
      );
      takeMessages(reports);
      await supervisor.stop();
      await running;
    },
  );
}

testClean(
  "restart says when a service that ends is started again",
  async ({ reports }) => {
    const runs: Record<string, number> = {};
    const once = (
      name: string,
      restart: Service["restart"],
      fails: "fails" | "returns",
    ): Service => ({
      name,
      ...(restart === undefined ? {} : { restart }),
      async run(service) {
        runs[name] = (runs[name] ?? 0) + 1;
        if (runs[name] > 1) return await service.untilStopping();
        await sleep(1);
        if (fails === "fails") throw new RangeError(name);
      },
    });
    const { supervisor, running } = await started([
      once("permanent, returns", "permanent", "returns"),
      once("transient, returns", "transient", "returns"),
      once("transient, fails", "transient", "fails"),
      once("temporary, fails", "temporary", "fails"),
    ], { maxRestarts: 10 });
    await sleep(100);

    assertEquals(runs, {
      "permanent, returns": 2,
      "transient, returns": 1,
      "transient, fails": 2,
      "temporary, fails": 1,
    });
    assertEquals(supervisor.services.map(({ state }) => state), [
      "running",
      "done",
      "running",
      "failed",
    ]);
    takeMessages(reports);
    await supervisor.stop();
    await running;
  },
);

testClean(
  "autoShutdown stops all when a significant service has ended",
  async () => {
    for (
      const [autoShutdown, ends] of [
        ["any-significant", 10],
        ["all-significant", 20],
      ] as const
    ) {
      const log: string[] = [];
      const job = (name: string, ms: number): Service => ({
        name,
        restart: "temporary",
        significant: true,
        run: (service) =>
          select({ late: sleepOp(ms), stop: service.stoppingOp() }),
      });
      const { supervisor, running } = await started([
        job("short", 10),
        job("long", 20),
        logged(log, "helper"),
      ], { autoShutdown });
      await sleep(ends - 1);
      assertEquals(supervisor.stopping, false);
      await running;
      assertEquals(log, ["+helper", "-helper"]);
    }
  },
);

testClean(
  "a service without a heartbeat is started again",
  async ({ reports }) => {
    let runs = 0;
    const { supervisor, running } = await started([
      {
        name: "hanging",
        heartbeatMs: 30,
        async run(service) {
          if (++runs === 2) return await beating(service);
          for (let i = 0; i < 3; i++) {
            await sleep(20);
            service.heartbeat();
          }
          await sleep(Infinity);
        },
      },
    ]);
    await sleep(89);
    assertEquals(runs, 1);
    await sleep(200);

    assertEquals([runs, supervisor.services[0]?.state], [2, "running"]);
    const [report] = reports.splice(0);
    assertInstanceOf(report?.exception, HeartbeatError);
    await supervisor.stop();
    await running;
  },
);

async function beating(service: ServiceContext): Promise<void> {
  while (!service.stopping) {
    service.heartbeat();
    await sleep(10);
  }
}

testClean(
  "a service that does not end when it is asked to is cancelled",
  async () => {
    const { supervisor, running } = await started([
      { name: "deaf", shutdownMs: 50, run: () => sleep(Infinity) },
    ]);

    assertEquals(await supervisor.stop(), [
      { name: "deaf", how: "cancelled", ms: 50, waitsFor: [] },
    ]);
    await running;
  },
);

testClean(
  "a service that cannot be ended is left behind, with what it waits for",
  async () => {
    const { supervisor, running } = await started([
      {
        name: "sleeping",
        run: () => uncancellable(() => sleep(1000), { graceMs: Infinity }),
      },
    ]);

    assertEquals(await supervisor.stop({ deadlineMs: 100 }), [
      {
        name: "sleeping",
        how: "stuck",
        ms: 100,
        waitsFor: ['task "sleeping" waits for time to pass'],
      },
    ]);
    await running;
    await sleep(1000);
  },
);

Deno.test("a service that awaits what the loop cannot see is left behind, too", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const supervisor = new Supervisor([{ name: "stuck", run: () => promise }]);
  const running = supervisor.run();
  await supervisor.untilStarted();
  const [stop] = await supervisor.stop({ deadlineMs: 20 });
  await running;
  resolve();

  assertEquals([stop?.how, stop?.waitsFor], [
    "stuck",
    ['task "stuck" awaits something that the loop cannot see'],
  ]);
});

testClean("all services share one deadline", async ({ virtual }) => {
  const deaf = (name: string, dependsOn: string[] = []): Service => ({
    name,
    dependsOn,
    shutdownMs: Infinity,
    run: () => sleep(Infinity),
  });
  const { supervisor, running } = await started([
    deaf("a"),
    deaf("b", ["a"]),
    deaf("c", ["b"]),
  ]);
  const start = virtual.now;
  const stops = await supervisor.stop({ deadlineMs: 1000 });

  assertEquals(stops.map(({ how }) => how), [
    "cancelled",
    "cancelled",
    "cancelled",
  ]);
  assert(virtual.now - start <= 1000);
  await running;
});

testClean(
  "Supervisor.hurry() cancels what is being stopped",
  async ({ virtual }) => {
    const { supervisor, running } = await started([
      { name: "slow", shutdownMs: 5000, run: () => sleep(Infinity) },
    ]);
    const stopping = supervisor.stop();
    await sleep(10);
    supervisor.hurry();

    assertEquals((await stopping)[0]?.how, "cancelled");
    assertEquals(virtual.now, 10);
    await running;
  },
);

testClean(
  "a supervisor whose caller is cancelled stops all first",
  async () => {
    const log: string[] = [];
    const supervisor = new Supervisor([logged(log, "a"), logged(log, "b")]);
    await assertRejects(
      () => timeout(10, () => supervisor.run()),
      TimeoutError,
    );

    assertEquals(log, ["+a", "+b", "-a", "-b"]);
  },
);

testClean(
  "a restart that is planned does not come after the stop",
  async ({ reports }) => {
    let runs = 0;
    const { supervisor, running } = await started([
      {
        name: "flaky",
        async run() {
          runs++;
          await sleep(1);
          throw new RangeError("crashed");
        },
      },
    ], { restartDelayMs: 1000 });
    await sleep(10);
    await supervisor.stop();
    await running;
    await sleep(5000);

    assertEquals(runs, 1);
    takeMessages(reports);
  },
);

testClean(
  "onEvent hears what has happened, and breaks nothing by throwing",
  async ({ reports }) => {
    const log: string[] = [];
    const { supervisor, running } = await started([
      {
        name: "flaky",
        async run(service) {
          if (service.attempt > 1) return await service.untilStopping();
          await sleep(1);
          throw new RangeError("crashed");
        },
      },
    ], {
      onEvent: ({ kind }) => {
        log.push(kind);
        if (kind === "restarting") throw new TypeError("broken hook");
      },
    });
    await sleep(100);
    await supervisor.stop();
    await running;

    assertEquals(log, ["ready", "failed", "restarting", "ready", "stopped"]);
    assertEquals(takeMessages(reports), [
      'Service "flaky" has failed',
      'A hook of "a supervisor" has thrown',
    ]);
  },
);

testClean(
  "a service that is started again waits for one that fails again and again",
  async ({ virtual, reports }) => {
    const log: string[] = [];
    const crashing = (
      name: string,
      times: number[],
      dependsOn: string[] = [],
    ) =>
      logged(log, name, {
        dependsOn,
        async run(service) {
          log.push(`+${name} ${virtual.now}`);
          const ms = times[service.attempt - 1];
          if (ms === undefined) return await service.untilStopping();
          await sleep(ms);
          throw new RangeError("crashed");
        },
      });
    const { supervisor, running } = await started([
      crashing("database", [1, 1]),
      crashing("web", [12], ["database"]),
    ]);
    await sleep(100);

    // The web was due at 22, while the database was down until 32.
    assertEquals(log.slice(2), ["+database 11", "+database 32", "+web 32"]);
    await supervisor.stop();
    await running;
    takeMessages(reports);
  },
);

testClean(
  "services that fail in the same step are started again once each",
  async ({ reports }) => {
    const log: string[] = [];
    const both = (name: string): Service => ({
      name,
      async run(service) {
        log.push(`${name}${service.attempt}`);
        if (service.attempt > 1) return await service.untilStopping();
        await sleep(1);
        throw new RangeError("crashed");
      },
    });
    const { supervisor, running } = await started([both("a"), both("b")], {
      strategy: "one-for-all",
    });
    await sleep(100);

    assertEquals(log, ["a1", "b1", "a2", "b2"]);
    assertEquals((await supervisor.stop()).length, 2);
    await running;
    takeMessages(reports);
  },
);

testClean(
  "a service that has ended for good is not started again with others",
  async ({ reports }) => {
    const log: string[] = [];
    const { supervisor, running } = await started([
      {
        name: "once",
        restart: "temporary",
        run: () => void log.push("once"),
      },
      {
        name: "flaky",
        async run(service) {
          log.push("flaky");
          if (service.attempt > 1) return await service.untilStopping();
          await sleep(1);
          throw new RangeError("crashed");
        },
      },
    ], { strategy: "one-for-all" });
    await sleep(100);

    assertEquals(log, ["once", "flaky", "flaky"]);
    await supervisor.stop();
    await running;
    takeMessages(reports);
  },
);

testClean(
  "a failed service that cannot be ended is left behind, and started again",
  async ({ reports }) => {
    let runs = 0;
    const { supervisor, running } = await started([
      {
        name: "silent",
        heartbeatMs: 20,
        shutdownMs: 30,
        async run(service) {
          if (++runs > 1) return await beating(service);
          await uncancellable(() => sleep(1000), { graceMs: Infinity });
        },
      },
    ]);
    await sleep(20 + 30 + 9);
    assertEquals(runs, 1);
    await sleep(2);
    assertEquals(runs, 2);

    assertEquals(takeMessages(reports), [
      'Service "silent" has failed, and is left behind: ' +
      'task "silent" waits for time to pass',
      'Service "silent" has failed',
    ]);
    await supervisor.stop();
    await running;
    await sleep(1000);
  },
);

testClean(
  "a service that fails before it was ready makes the start fail, whatever its restart",
  async ({ reports }) => {
    const supervisor = new Supervisor([
      {
        name: "migration",
        restart: "temporary",
        readiness: "told",
        run: () => Promise.reject(new RangeError("no")),
      },
    ]);

    await assertRejects(() => supervisor.run(), SupervisorError, "to start");
    takeMessages(reports);
  },
);

testClean(
  "who is stopped later keeps time to be cancelled when others use theirs up",
  async () => {
    const log: string[] = [];
    const slowToEnd = (name: string, dependsOn: string[]): Service => ({
      name,
      dependsOn,
      shutdownMs: Infinity,
      async run() {
        try {
          await sleep(Infinity);
        } finally {
          await uncancellable(() => sleep(40));
          log.push(name);
        }
      },
    });
    const { supervisor, running } = await started([
      slowToEnd("database", []),
      {
        name: "web",
        dependsOn: ["database"],
        run: () => uncancellable(() => sleep(5000), { graceMs: Infinity }),
      },
    ]);

    const stops = await supervisor.stop({ deadlineMs: 1000 });

    assertEquals(
      stops.map(({ name, how, ms }) => `${name} ${how} ${ms}`),
      ["database cancelled 280", "web stuck 700"],
    );
    assertEquals(log, ["database"]);
    await running;
    await sleep(5000);
  },
);

testClean(
  "a supervisor that gives up has the deadline it was made with, and tells at once",
  async ({ virtual, reports }) => {
    const supervisor = new Supervisor([
      {
        name: "deaf",
        shutdownMs: Infinity,
        run: () => uncancellable(() => sleep(5000), { graceMs: Infinity }),
      },
      {
        name: "broken",
        async run() {
          await sleep(10);
          throw new RangeError("crashed");
        },
      },
    ], { deadlineMs: 1000, maxRestarts: 0 });
    const running = createTask(() => supervisor.run());

    await supervisor.untilStopping();
    assertEquals(virtual.now, 10);
    await assertRejects(() => running.toPromise(), SupervisorError);
    assertEquals(virtual.now, 1010);
    await sleep(5000);
    takeMessages(reports);
  },
);

testClean("a supervisor is run once", async () => {
  const { supervisor, running } = await started([]);
  await assertRejects(
    () => supervisor.run(),
    InvalidStateError,
    "Cannot run a supervisor: it was run before",
  );
  await supervisor.stop();

  assertEquals(await running, []);
});

Deno.test("Supervisor() rejects wrong services and options", async () => {
  const run = () => {};
  const wrong = (services: unknown[], options: unknown = {}) => () =>
    new Supervisor(services as Service[], options as SupervisorOptions);

  assertThrows(
    wrong([{ name: "a", run }, { name: "a", run }]),
    TypeError,
    'Cannot create a supervisor as each service must have a name of its own: "a" is there twice',
  );
  assertThrows(
    wrong([{ name: "a", run, dependsOn: ["b"] }]),
    TypeError,
    'Cannot create a supervisor: service "a" depends on "b", which is not there',
  );
  assertThrows(
    wrong([
      { name: "a", run, dependsOn: ["b"] },
      { name: "b", run, dependsOn: ["a"] },
    ]),
    TypeError,
    'Cannot create a supervisor: services depend on each other: "a" > "b" > "a"',
  );
  assertThrows(wrong([{ run }]), TypeError, '"name" of a service');
  assertThrows(wrong([{ name: "a" }]), TypeError, '"run" must be a function');
  assertThrows(wrong([undefined]), TypeError);
  assertThrows(wrong([{ name: "a", run, restart: "always" }]), TypeError);
  assertThrows(wrong([{ name: "a", run, startMs: -1 }]), RangeError);
  assertThrows(
    wrong([], { strategy: "all" }),
    TypeError,
    'Cannot create a supervisor as "strategy" must be one of "one-for-one", "one-for-all", "rest-for-one": current value is "all"',
  );
  assertThrows(wrong([], { maxRestarts: -1 }), RangeError);
  assertThrows(wrong([], { withinMs: NaN }), RangeError);
  await assertRejects(
    () => new Supervisor([]).stop({ deadlineMs: -1 }),
    RangeError,
  );
});

testClean(
  "a service that throws nothing at all has failed, also while it is stopped",
  async ({ reports }) => {
    const failures: unknown[] = [];
    const { supervisor, running } = await started([{
      name: "odd",
      run: async (service) => {
        await service.untilStopping();
        await Promise.reject();
      },
    }], {
      onEvent: (event) => {
        if (event.kind === "failed") failures.push(event.error);
      },
    });

    await supervisor.stop();
    await running;

    assertEquals(failures, [undefined]);
    assertEquals(takeMessages(reports), ['Service "odd" has failed']);
  },
);

testClean(
  "a service without a limit of its own does not hold up a restart of others",
  async ({ reports }) => {
    const log: string[] = [];
    const { supervisor, running } = await started([
      {
        name: "endless",
        shutdownMs: Infinity,
        async run() {
          log.push("endless");
          await sleep(3_600_000);
        },
      },
      {
        name: "flaky",
        async run(service) {
          log.push("flaky");
          await sleep(1);
          if (service.attempt === 1) throw new RangeError("crashed");
          await service.untilStopping();
        },
      },
    ], { strategy: "one-for-all", deadlineMs: 1000 });

    await sleep(1500);

    assertEquals(log, ["endless", "flaky", "flaky", "endless"]);
    assertEquals(takeMessages(reports), ['Service "flaky" has failed']);
    await supervisor.stop();
    await running;
  },
);

testClean(
  "a service that is stuck when others are started again is left behind",
  async ({ reports }) => {
    const release = new Future<void>();
    const log: string[] = [];
    const { supervisor, running } = await started([
      {
        name: "stuck",
        shutdownMs: 10,
        async run(service) {
          log.push(`stuck ${service.attempt}`);
          if (service.attempt > 1) return await service.untilStopping();
          await uncancellable(() => release, { graceMs: Infinity });
        },
      },
      {
        name: "flaky",
        async run(service) {
          await sleep(1);
          if (service.attempt === 1) throw new RangeError("crashed");
          await service.untilStopping();
        },
      },
    ], { strategy: "one-for-all", deadlineMs: 1000 });

    await sleep(3000);

    assertEquals(log, ["stuck 1", "stuck 2"]);
    assertEquals(supervisor.services.map(({ state }) => state), [
      "running",
      "running",
    ]);
    const [, left] = takeMessages(reports);
    assert(
      left?.startsWith('Service "stuck" does not end, and is left behind'),
    );
    release.setResult();
    await supervisor.stop();
    await running;
  },
);

testClean(
  "a service that ends has its time, without signs of life",
  async () => {
    const { supervisor, running } = await started([
      {
        name: "beating",
        heartbeatMs: 100,
        async run(service) {
          await service.untilStopping();
          service.heartbeat();
          await sleep(1000);
        },
      },
    ]);

    const [stop] = await supervisor.stop();
    await running;

    assertEquals([stop?.how, stop?.ms], ["drained", 1000]);
  },
);

testClean(
  "a service that was not ready yet has its time to end",
  async () => {
    const supervisor = new Supervisor([{
      name: "slow",
      readiness: "told",
      startMs: 100,
      async run(service) {
        await service.untilStopping();
        await sleep(1000);
      },
    }]);
    const running = createTask(() => supervisor.run());
    await sleep(50);

    const [stop] = await supervisor.stop();
    await running;

    assertEquals([stop?.how, stop?.ms], ["drained", 1000]);
  },
);

testClean(
  "a service that still waits for others is stopped at once",
  async () => {
    const log: string[] = [];
    const supervisor = new Supervisor([
      {
        name: "slow",
        readiness: "told",
        run: (service) => service.untilStopping(),
      },
      { ...logged(log, "later"), dependsOn: ["slow"], shutdownMs: Infinity },
    ]);
    const running = createTask(() => supervisor.run());
    await sleep(50);

    const stops = await supervisor.stop();
    await running;

    assertEquals(stops.map(({ how, ms }) => [how, ms]), [
      ["drained", 0],
      ["drained", 0],
    ]);
    assertEquals(log, []);
  },
);

testClean(
  "a service that was about to be started again has failed when all is stopped",
  async ({ reports }) => {
    const { supervisor, running } = await started([{
      name: "flaky",
      async run() {
        await sleep(1);
        throw new RangeError("crashed");
      },
    }], { restartDelayMs: 1000 });
    await sleep(10);

    const stops = await supervisor.stop();
    await running;

    assertEquals(stops, []);
    assertEquals(supervisor.services.map(({ state }) => state), ["failed"]);
    assertEquals(takeMessages(reports), ['Service "flaky" has failed']);
  },
);
