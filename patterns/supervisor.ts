/**
 * Supervised services: started in order, started again when they fail, and
 * stopped within a time limit.
 *
 * ```ts
 * import { Supervisor } from "@ilmek/async/supervisor";
 *
 * const supervisor = new Supervisor([
 *   {
 *     name: "clock",
 *     async run(service) {
 *       console.log("tick");
 *       await service.untilStopping();
 *     },
 *   },
 * ]);
 * const running = supervisor.run();
 * await supervisor.untilStarted();
 * await supervisor.stop();
 * await running;
 * ```
 *
 * @module
 */
import type { Actor } from "../_internal/actor.ts";
import { cancelScope } from "../_internal/cancellation.ts";
import {
  checkChoice,
  checkCount,
  checkFunction,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { defaultRandom } from "../_internal/random.ts";
import { spawn } from "../_internal/spawn.ts";
import { Event } from "../primitives/event.ts";
import { select } from "../primitives/select.ts";
import { sleep } from "../primitives/sleep.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { callHook } from "./_call.ts";
import { type Child, childrenOf, DOING } from "./_service_plan.ts";
import { ServiceRun, type StopPlan } from "./_service_run.ts";
import {
  type RestartStrategy,
  type Service,
  type ServiceState,
  type ServiceStop,
  SupervisorError,
  type SupervisorEvent,
} from "./_service_types.ts";

export type { Duration } from "../_internal/check.ts";
export type { Operation } from "../_internal/operation.ts";
export * from "./_service_types.ts";

/** Options of {@linkcode Supervisor}. */
export interface SupervisorOptions {
  /**
   * What is started again when a service has to be.
   *
   * @default {"one-for-one"}
   */
  strategy?: RestartStrategy;
  /**
   * How often services may be started again within `withinMs`; once more, and the
   * supervisor gives up.
   *
   * @default {3}
   */
  maxRestarts?: number;
  /**
   * The time that `maxRestarts` counts in.
   *
   * @default {10000}
   */
  withinMs?: Duration;
  /**
   * How long it waits before it starts a service again; twice as long each time
   * that the service fails before it was stable.
   *
   * @default {100}
   */
  restartDelayMs?: Duration;
  /**
   * How long it waits at most.
   *
   * @default {5000}
   */
  maxRestartDelayMs?: Duration;
  /**
   * After how long a service that runs counts as stable.
   *
   * @default {60000}
   */
  stableMs?: Duration;
  /**
   * Whether all is stopped when a significant service has ended for good, or when
   * all of them have.
   *
   * @default {"never"}
   */
  autoShutdown?: "never" | "any-significant" | "all-significant";
  /**
   * How long all may take together to stop, when it gives up, when its caller is
   * cancelled, and when `stop` is not told another time. A service that is stopped
   * to be started again with others has that long, too; one that is stuck is then
   * left behind.
   *
   * @default {25000}
   */
  deadlineMs?: Duration;
  /** Where the jitter of restarts comes from: numbers from 0 up to 1. */
  random?: () => number;
  /** Told what happens to services, after it has happened. */
  onEvent?: (event: SupervisorEvent) => void;
}

/** Options of {@linkcode Supervisor.stop}. */
export interface SupervisorStopOptions {
  /**
   * How long all may take together. What is left then is left behind, and told in
   * the report.
   *
   * @default {what the supervisor was made with}
   */
  deadlineMs?: Duration;
}

/** A service as {@linkcode Supervisor.services} tells it. */
export interface ServiceStatus {
  /** The name of the service. */
  readonly name: string;
  /** Where it stands. */
  readonly state: ServiceState;
  /** How often it was started. */
  readonly attempts: number;
}

/**
 * Runs services and keeps them running.
 *
 * A service is started when those that it depends on are ready, and stopped when
 * those that depend on it are gone. One that ends is started again, after a delay
 * that grows; if that happens too often, all are stopped, and the supervisor fails
 * with a `SupervisorError`. A service that fails in the first start makes it give
 * up at once.
 *
 * @example Start a service again
 * ```ts
 * import { Event } from "@ilmek/async/event";
 * import { Supervisor } from "@ilmek/async/supervisor";
 * import { createTask } from "@ilmek/async/task";
 * import { assertEquals } from "@std/assert";
 *
 * const second = new Event();
 * const supervisor = new Supervisor([{
 *   name: "flaky",
 *   async run(service) {
 *     if (service.attempt === 1) throw new TypeError("crashed");
 *     second.set();
 *     await service.untilStopping();
 *   },
 * }], { restartDelayMs: 1 });
 * const running = createTask(() => supervisor.run());
 * await second.wait();
 * const [stop] = await supervisor.stop();
 * await running;
 *
 * assertEquals(stop?.how, "drained");
 * ```
 */
export class Supervisor {
  readonly #children: readonly Child[];
  readonly #strategy: RestartStrategy;
  readonly #autoShutdown: "never" | "any-significant" | "all-significant";
  readonly #maxRestarts: number;
  readonly #withinMs: number;
  readonly #delayMs: number;
  readonly #maxDelayMs: number;
  readonly #stableMs: number;
  readonly #deadlineMs: number;
  readonly #random: () => number;
  readonly #onEvent: ((event: SupervisorEvent) => void) | undefined;
  readonly #started = new Event();
  readonly #hurry = new Event();
  /** When services were started again, oldest first. */
  readonly #restarts: number[] = [];
  /** Tasks that will start services again. */
  readonly #restarting = new Set<Actor>();
  /** Set when it is over; then the verdict says why. */
  readonly #over = new Event();
  /** Set when all are stopped; then the stops say how. */
  readonly #stopped = new Event();
  /** How much of the time is kept for each level of services that are stopped later. */
  #reserveMs = 0;
  #loop: EventLoop | undefined;
  #verdict: Verdict | undefined;
  #stops: readonly ServiceStop[] | undefined;

  /** Creates a supervisor; nothing is started yet. */
  constructor(services: Iterable<Service>, options: SupervisorOptions = {}) {
    const { strategy = "one-for-one", autoShutdown = "never" } = options;
    const { maxRestarts = 3, withinMs = 10_000, stableMs = 60_000 } = options;
    const { restartDelayMs = 100, maxRestartDelayMs = 5000 } = options;
    const { deadlineMs = 25_000, random = defaultRandom, onEvent } = options;
    checkChoice(strategy, DOING, "strategy", STRATEGIES);
    checkChoice(autoShutdown, DOING, "autoShutdown", AUTO_SHUTDOWNS);
    this.#strategy = strategy;
    this.#autoShutdown = autoShutdown;
    this.#maxRestarts = checkCount(maxRestarts, DOING, "maxRestarts", 0);
    this.#withinMs = toMs(withinMs, DOING, "withinMs");
    this.#stableMs = toMs(stableMs, DOING, "stableMs");
    this.#delayMs = toMs(restartDelayMs, DOING, "restartDelayMs");
    this.#maxDelayMs = toMs(maxRestartDelayMs, DOING, "maxRestartDelayMs");
    this.#deadlineMs = toMs(deadlineMs, DOING, "deadlineMs");
    checkFunction(random, DOING, "random");
    if (onEvent !== undefined) checkFunction(onEvent, DOING, "onEvent");
    this.#random = random;
    this.#onEvent = onEvent;
    this.#children = childrenOf([...services]);
  }

  /** The services, in the order in which they were given. */
  get services(): ServiceStatus[] {
    return this.#children.map(({ plan, state, attempts }) => ({
      name: plan.name,
      state,
      attempts,
    }));
  }

  /** Whether every service has been ready. */
  get started(): boolean {
    return this.#started.isSet;
  }

  /** Whether services are being stopped, or are. */
  get stopping(): boolean {
    return this.#stops !== undefined;
  }

  /**
   * Waits until every service has been ready.
   *
   * @throws {InvalidStateError} If they are stopped before that.
   */
  async untilStarted(): Promise<void> {
    const { key } = await select({
      started: this.#started.waitOp(),
      over: this.#over.waitOp(),
    }, { biased: true });
    if (key === "started") return;
    throw new InvalidStateError(
      "Cannot wait until all services have started: they are stopped",
    );
  }

  /** Waits until services are being stopped, for whatever reason. */
  async untilStopping(): Promise<void> {
    await this.#over.wait();
  }

  /**
   * Starts all services, and keeps them running until somebody calls `stop`.
   *
   * If the caller is cancelled, all are stopped first.
   *
   * @returns What has become of the services.
   * @throws {SupervisorError} If it has given up.
   * @throws {InvalidStateError} If it was run before.
   */
  async run(): Promise<readonly ServiceStop[]> {
    if (this.#loop !== undefined) {
      throw new InvalidStateError("Cannot run a supervisor: it was run before");
    }
    this.#loop = currentFrame().loop;
    for (const child of this.#children) this.#start(child);
    this.#checkStarted();
    try {
      await this.#over.wait();
    } finally {
      this.#beginStop(this.#deadlineMs);
      await uncancellable(
        () => this.#stopped.wait(),
        { name: "a supervisor", graceMs: Infinity },
      );
    }
    const stops = this.#stops ?? [];
    if (this.#verdict === undefined) return stops;
    const { service, why, cause } = this.#verdict;
    throw new SupervisorError(service, why, { cause, stops });
  }

  /**
   * Stops all services: each is asked to end, then cancelled, then left behind.
   * Those that depend on others go first. A second call gives the same result.
   *
   * @param options Additional options.
   * @returns What has become of the services.
   */
  async stop(
    options: SupervisorStopOptions = {},
  ): Promise<readonly ServiceStop[]> {
    const { deadlineMs = this.#deadlineMs } = options;
    const ms = toMs(deadlineMs, "stop services", "deadlineMs");
    this.#loop ??= currentFrame().loop;
    this.#beginStop(ms);
    await this.#stopped.wait();
    return this.#stops ?? [];
  }

  /** Leaves nobody time to finish any more: what is stopped is cancelled now. */
  hurry(): void {
    this.#hurry.set();
  }

  #start(child: Child): void {
    child.state = "waiting";
    child.attempts++;
    child.run = new ServiceRun(child.plan, child.attempts, {
      awaitDependencies: async () => {
        for (const other of child.dependsOn) await this.#untilReady(other);
        if (child.run?.stopping !== true) child.state = "starting";
      },
      onReady: () => {
        child.state = "running";
        child.usable.set();
        this.#tell({ kind: "ready", service: child.plan.name });
        this.#checkStarted();
      },
      onEnd: (run) => this.#onEnd(child, run),
    });
  }

  /** Waits until a service is ready, in whatever run. */
  async #untilReady(child: Child): Promise<void> {
    // It may have failed again before this one's turn comes.
    while (!child.usable.isSet) await child.usable.wait();
  }

  #checkStarted(): void {
    const all = this.#children.every(({ state, run }) =>
      run?.isReady.isSet === true || state === "done"
    );
    if (all) this.#started.set();
  }

  /** A run is over: decides what becomes of the service. */
  #onEnd(child: Child, run: ServiceRun): void {
    const { failure } = run;
    if (failure !== undefined) this.#reportFailure(child, failure.error);
    if (run !== child.run || run.stopping) return;
    const { name } = child.plan;
    const { restart = "permanent", significant = false } = child.plan.service;
    const again = restart === "permanent" ||
      (restart === "transient" && failure !== undefined);
    if (failure === undefined) this.#tell({ kind: "ended", service: name });
    const isNeeded = again || !run.isReady.isSet;
    if (failure !== undefined && isNeeded && !this.started) {
      child.state = "failed";
      return this.#giveUp({
        service: name,
        why: "it has failed to start",
        cause: failure.error,
      });
    }
    if (again) return this.#restart(child, run, failure?.error);
    child.state = failure === undefined ? "done" : "failed";
    if (failure === undefined) child.usable.set();
    this.#checkStarted();
    if (significant && this.#isTimeToStop()) this.#over.set();
  }

  #isTimeToStop(): boolean {
    if (this.#autoShutdown === "any-significant") return true;
    if (this.#autoShutdown === "never") return false;
    return this.#children.every(({ plan, state }) =>
      plan.service.significant !== true || state === "done" ||
      state === "failed"
    );
  }

  #restart(child: Child, run: ServiceRun, cause: unknown): void {
    const loop = this.#loop as EventLoop;
    const now = loop.time();
    const { name } = child.plan;
    this.#restarts.push(now);
    while (now - (this.#restarts[0] ?? now) > this.#withinMs) {
      this.#restarts.shift();
    }
    if (this.#restarts.length > this.#maxRestarts) {
      child.state = "failed";
      return this.#giveUp({
        service: name,
        why:
          `it had to be started again more than ${this.#maxRestarts} times within ${this.#withinMs} ms`,
        cause,
      });
    }
    const isStable = now - run.readyAt >= this.#stableMs;
    child.failures = isStable ? 1 : child.failures + 1;
    const grown = this.#delayMs * 2 ** Math.min(child.failures - 1, 32);
    const longest = Math.min(grown, this.#maxDelayMs);
    const delayMs = longest * (0.5 + 0.5 * this.#random());
    child.state = "restarting";
    child.usable.clear();
    this.#tell({ kind: "restarting", service: name, delayMs });
    const others = this.#affected(child);
    const actor = spawn<void>(loop.root, async () => {
      await Promise.all(others.map((other) => this.#halt(other)));
      await sleep(delayMs);
      for (const each of [child, ...others]) {
        // A service that has failed at the same time has a restart of its own.
        if (each.run?.gone.isSet !== false) this.#start(each);
      }
    }, {
      name: `restart of ${name}`,
      onEnd: (actor) => this.#restarting.delete(actor),
    });
    actor.outcome.observe();
    this.#restarting.add(actor as Actor);
  }

  /** The services that are started again with this one. */
  #affected(child: Child): Child[] {
    // Those that have ended for good are not started again with others.
    return this.#related(child).filter(({ state }) =>
      state !== "done" && state !== "failed"
    );
  }

  #related(child: Child): Child[] {
    if (this.#strategy === "one-for-one") return [];
    if (this.#strategy === "one-for-all") {
      return this.#children.filter((other) => other !== child);
    }
    const found = new Set<Child>();
    const open = [...child.dependents];
    for (let other = open.pop(); other; other = open.pop()) {
      if (found.has(other)) continue;
      found.add(other);
      open.push(...other.dependents);
    }
    return [...found];
  }

  /** Stops a service that is to be started again. */
  async #halt(child: Child): Promise<void> {
    const { run } = child;
    if (run === undefined || run.gone.isSet) return;
    child.state = "restarting";
    child.usable.clear();
    const deadline = (this.#loop as EventLoop).time() + this.#deadlineMs;
    const { how } = await run.stop({ deadline, hurry: this.#hurry });
    // Else nobody would start it again, and who depends on it would wait for ever.
    if (how === "stuck") run.leave("does not end");
  }

  #beginStop(deadlineMs: number): void {
    if (this.#stops !== undefined) return;
    this.#stops = [];
    this.#over.set();
    for (const actor of this.#restarting) {
      cancelScope(actor.scope, "the supervisor stops");
    }
    const loop = this.#loop as EventLoop;
    // Who is stopped later keeps a little of the time.
    this.#reserveMs = Math.min(
      MAX_RESERVE_MS,
      deadlineMs * RESERVED_SHARE /
        Math.max(1, ...this.#children.map(({ level }) => level)),
    );
    const plan = { deadline: loop.time() + deadlineMs, hurry: this.#hurry };
    // It is a task of its own: nobody's cancellation ends it half way.
    spawn(loop.root, async () => {
      this.#stops = await this.#stopAll(plan);
    }, {
      name: "stop of a supervisor",
      // A hard cancellation may keep it from its beginning.
      onEnd: ({ outcome }) => {
        outcome.observe();
        this.#stopped.set();
      },
    });
  }

  async #stopAll(plan: StopPlan): Promise<ServiceStop[]> {
    const stops = new Map<Child, Promise<ServiceStop | undefined>>();
    const stopOne = (child: Child): Promise<ServiceStop | undefined> => {
      const known = stops.get(child);
      if (known !== undefined) return known;
      const stop = Promise.all(child.dependents.map(stopOne))
        .then(() => this.#stopChild(child, plan));
      stops.set(child, stop);
      return stop;
    };
    const all = await Promise.all(this.#children.map(stopOne));
    return all.filter((stop) => stop !== undefined);
  }

  async #stopChild(
    child: Child,
    plan: StopPlan,
  ): Promise<ServiceStop | undefined> {
    const { run } = child;
    if (run === undefined || run.gone.isSet) {
      // Nobody starts it again any more.
      if (child.state === "restarting") {
        child.state = run?.failure === undefined ? "done" : "failed";
      }
      return undefined;
    }
    child.state = "stopping";
    const stop = await run.stop({
      ...plan,
      deadline: plan.deadline - child.level * this.#reserveMs,
    });
    child.state = stop.how === "stuck" ? "stopping" : "done";
    this.#tell({ kind: "stopped", service: child.plan.name, stop });
    return stop;
  }

  #giveUp(verdict: Verdict): void {
    if (this.#over.isSet) return;
    this.#verdict = verdict;
    this.#over.set();
  }

  #reportFailure(child: Child, error: unknown): void {
    const { name } = child.plan;
    (this.#loop as EventLoop).report({
      message: `Service "${name}" has failed`,
      exception: error,
    });
    this.#tell({ kind: "failed", service: name, error });
  }

  #tell(event: SupervisorEvent): void {
    callHook(this.#loop as EventLoop, "a supervisor", this.#onEvent, event);
  }
}

/** Why a supervisor has given up. */
interface Verdict {
  readonly service: string;
  readonly why: string;
  readonly cause: unknown;
}

const RESERVED_SHARE = 0.3;
const MAX_RESERVE_MS = 1000;
const STRATEGIES = ["one-for-one", "one-for-all", "rest-for-one"];
const AUTO_SHUTDOWNS = ["never", "any-significant", "all-significant"];
