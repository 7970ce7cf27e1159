/**
 * A whole program: services, workers and HTTP under supervision, with health checks,
 * and a shutdown that loses nothing, ends in time, and says what held it up.
 *
 * It needs the permission `net` for the address, if it serves HTTP.
 *
 * ```ts ignore
 * import { Application } from "@ilmek/async/application";
 *
 * const application = new Application({
 *   services: [database],
 *   checks: [{ name: "database", check: () => pool.query(sql`select 1`) }],
 *   http: { handler: () => new Response("hello") },
 * });
 * await application.run();
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  isThenable,
  toMs,
} from "../_internal/check.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import type { EventLoop } from "../_internal/event_loop.ts";
import { currentFrame } from "../_internal/frame.ts";
import { spawn } from "../_internal/spawn.ts";
import { HealthChecks } from "../patterns/health.ts";
import {
  type ServiceStatus,
  type ServiceStop,
  Supervisor,
  SupervisorError,
} from "../patterns/supervisor.ts";
import { throwIfCancelled } from "../primitives/checkpoint.ts";
import { Event } from "../primitives/event.ts";
import { select } from "../primitives/select.ts";
import { sleep, sleepOp } from "../primitives/sleep.ts";
import { createTask, type Task } from "../primitives/task.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { wait } from "../primitives/wait.ts";
import { servicesOf } from "./_application_services.ts";
import type { ApplicationOptions } from "./_application_types.ts";
import { HttpService } from "./_http_service.ts";
import { guardProcess } from "./_process_guard.ts";
import {
  exitCodeOf,
  type ShutdownBlocker,
  ShutdownReport,
} from "./_shutdown_report.ts";
import { run, type RunOptions } from "./run.ts";

export type { Duration } from "../_internal/check.ts";
export type { Operation } from "../_internal/operation.ts";
export type * from "./_application_types.ts";
export { type ShutdownBlocker, ShutdownReport };

const DOING = "create an application";

/**
 * A program that runs until it is told to end, and then ends well.
 *
 * Services start in the order of their dependencies, then workers, then HTTP; then
 * it is ready. The shutdown has one deadline for all of it, and goes in steps: it
 * says that it is not ready; it goes on to serve for `endpointDelayMs`; it takes no
 * more requests, closes WebSockets, and lets requests end; it stops workers, then
 * services in reverse; it flushes. What has no time left is cancelled, and named in
 * the report.
 *
 * The first SIGINT or SIGTERM begins the shutdown, the second leaves nobody time to
 * finish, the third ends the process. An error that nobody catches is reported, and
 * begins the shutdown, too.
 *
 * @example Start, work, and end
 * ```ts
 * import { Application } from "@ilmek/async/application";
 * import { createTask } from "@ilmek/async/task";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assert, assertEquals } from "@std/assert";
 *
 * let steps = 0;
 * const application = new Application({
 *   workerCount: 2,
 *   worker: async () => {
 *     await sleep(1);
 *     steps++;
 *   },
 * });
 * const running = createTask(() => application.start());
 * await application.untilStarted();
 * await sleep(10);
 * const report = await application.shutdown();
 * await running;
 *
 * assert(steps >= 2);
 * assertEquals([report.complete, report.exitCode], [true, 0]);
 * ```
 */
export class Application {
  /** What is known of its health. */
  readonly health: HealthChecks;
  readonly #name: string;
  readonly #shutdownMs: number;
  readonly #endpointDelayMs: number;
  readonly #workerCount: number;
  readonly #options: ApplicationOptions;
  readonly #supervisor: Supervisor;
  readonly #http: HttpService | undefined;
  readonly #started = new Event();
  readonly #stopping = new Event();
  readonly #stopped = new Event();
  readonly #hurry = new Event();
  /** What goes on beside the services, and ends with them. */
  readonly #helpers: Task<void>[] = [];
  readonly #workerNames: ReadonlySet<string>;
  #supervising: Task<unknown> | undefined;
  #loop: EventLoop | undefined;
  #signal: "SIGINT" | "SIGTERM" | undefined;
  #signals = 0;
  #failure: { readonly error: unknown } | undefined;
  #report: ShutdownReport | undefined;
  #stops: readonly ServiceStop[] = [];
  #unguard: () => void = () => {};

  /**
   * Creates an application; nothing is started yet.
   *
   * @param options What it consists of.
   * @throws {TypeError} If an option has the wrong type.
   * @throws {RangeError} If a number lies outside its range.
   */
  constructor(options: ApplicationOptions = {}) {
    const { workerCount = 4, shutdownMs = 30_000, name = "application" } =
      options;
    const { healthIntervalMs = 5000 } = options;
    const taskTimeoutMs = toMs(
      options.taskTimeoutMs ?? 10_000,
      DOING,
      "taskTimeoutMs",
    );
    const { endpointDelayMs = 0, checks = [], supervisor = {} } = options;
    const { http } = options;
    this.#name = name;
    this.#workerCount = options.worker === undefined
      ? 0
      : checkCount(workerCount, DOING, "workerCount", 0);
    this.#shutdownMs = toMs(shutdownMs, DOING, "shutdownMs");
    this.#endpointDelayMs = toMs(endpointDelayMs, DOING, "endpointDelayMs");
    for (const key of FUNCTIONS) {
      if (options[key] !== undefined) checkFunction(options[key], DOING, key);
    }
    if (http !== undefined) checkFunction(http.handler, DOING, "http.handler");
    this.#options = options;
    this.health = new HealthChecks(checks, {
      intervalMs: toMs(healthIntervalMs, DOING, "healthIntervalMs"),
      ...(options.onHealth === undefined ? {} : { onReport: options.onHealth }),
    });
    this.#http = http && new HttpService(http, this.health);
    const plan = servicesOf(options, {
      workerCount: this.#workerCount,
      taskTimeoutMs,
      http: this.#http,
    });
    this.#workerNames = plan.workerNames;
    this.#supervisor = new Supervisor(plan.services, {
      ...supervisor,
      deadlineMs: this.#shutdownMs,
    });
  }

  /** Whether it was started, and has not ended. */
  get running(): boolean {
    return this.#loop !== undefined && this.#report === undefined;
  }

  /** Whether it shuts down, or has done so. */
  get stopping(): boolean {
    return this.#stopping.isSet;
  }

  /** How many workers are at work, of how many. */
  get workers(): { readonly active: number; readonly total: number } {
    const active = this.services.filter(({ name, state }) =>
      state === "running" && this.#workerNames.has(name)
    );
    return { active: active.length, total: this.#workerCount };
  }

  /** Where each service stands; workers, `http` and `flush` included. */
  get services(): ServiceStatus[] {
    return this.#supervisor.services;
  }

  /** The URL that it serves; `undefined` unless it does. */
  get url(): string | undefined {
    return this.#http?.server?.url;
  }

  /** What came of the shutdown, once it has ended. */
  get report(): ShutdownReport | undefined {
    return this.#report;
  }

  /**
   * Waits until everything was ready once.
   *
   * @throws {InvalidStateError} If it shuts down before that.
   */
  async untilStarted(): Promise<void> {
    const { key } = await select({
      started: this.#started.waitOp(),
      stopping: this.#stopping.waitOp(),
    }, { biased: true });
    if (key === "started") return;
    throw new InvalidStateError(
      `Cannot wait for the start of "${this.#name}": it shuts down`,
    );
  }

  /**
   * Starts everything, keeps it running until somebody or something ends it, and
   * shuts it down. If the caller is cancelled, it is shut down first. It takes the
   * signals itself: inside of a `run` of your own, use `{ interrupt: "none" }`.
   *
   * @returns What came of the shutdown.
   * @throws {InvalidStateError} If it was started before.
   * @throws {SupervisorError} If a service cannot be kept running.
   * @throws {CancelledError} If the caller was cancelled.
   * @throws The error that nobody has caught, if that has ended it.
   */
  async start(): Promise<ShutdownReport> {
    if (this.#loop !== undefined) {
      throw new InvalidStateError(
        `Cannot start "${this.#name}": it was started before`,
      );
    }
    throwIfCancelled();
    this.#loop = currentFrame().loop;
    if (this.#options.guard !== false) {
      this.#unguard = guardProcess({
        onSignal: (name) => this.handleSignal(name),
        onUncaught: (message, error) => this.#fail(message, error),
      });
    }
    this.#begin();
    try {
      await this.#stopping.wait();
    } finally {
      this.#beginShutdown("start() was cancelled");
      await uncancellable(() => this.#stopped.wait(), {
        name: `the shutdown of ${this.#name}`,
        graceMs: Infinity,
      });
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#report as ShutdownReport;
  }

  /**
   * Shuts it down, as a signal does, and waits until it has ended. Services,
   * workers and handlers do not await it: it would wait for them.
   *
   * @param reason What the report tells.
   * @returns What came of it.
   * @throws {InvalidStateError} If it was not started.
   */
  async shutdown(
    reason: string = "shutdown() was called",
  ): Promise<ShutdownReport> {
    if (this.#loop === undefined) {
      throw new InvalidStateError(
        `Cannot shut "${this.#name}" down: it was not started`,
      );
    }
    this.#beginShutdown(reason);
    await this.#stopped.wait();
    return this.#report as ShutdownReport;
  }

  /**
   * Does what a signal does, as if it had been received: the first begins the
   * shutdown, the second leaves nobody time to finish, the third ends the process.
   *
   * @param name The name of the signal.
   * @throws {InvalidStateError} If it was not started.
   */
  handleSignal(name: "SIGINT" | "SIGTERM"): void {
    if (this.#loop === undefined) {
      throw new InvalidStateError(
        `Cannot take a signal for "${this.#name}": it was not started`,
      );
    }
    this.#signals++;
    this.#signal ??= name;
    this.#tell("onSignal", this.#options.onSignal, name);
    if (this.#signals === 1) return this.#beginShutdown(name);
    if (this.#signals > 2) return this.#exit(exitCodeOf(this.#signal));
    this.#hurry.set();
    this.#supervisor.hurry();
  }

  /**
   * Is the whole program: starts it on a loop of its own, and exits the process with
   * the code of the report once it has ended. A report of something that went wrong
   * goes to the loop's exception handler.
   *
   * @param options Additional options.
   * @throws {InvalidStateError} If it was started before.
   */
  async run(options: ApplicationRunOptions = {}): Promise<void> {
    await run(async () => {
      try {
        await this.start();
      } catch (error) {
        // With a report, it tells what there is to tell.
        if (this.#report === undefined) throw error;
      }
      const { complete, exitCode, failed, text } = this
        .#report as ShutdownReport;
      if (failed || !complete) this.#loop?.report({ message: text });
      // What is stuck must not keep the process alive.
      this.#exit(exitCode);
    }, { ...options, interrupt: "none" });
  }

  #tell<E>(
    name: string,
    hook: ((event: E) => unknown) | undefined,
    event: E,
  ): void {
    const report = (exception: unknown): void => {
      const message = `"${name}" of "${this.#name}" has failed`;
      this.#loop?.report({ message, exception });
    };
    try {
      const result = hook?.(event);
      if (isThenable(result)) result.then(undefined, report);
    } catch (error) {
      report(error);
    }
  }

  #exit(code: number): void {
    const { exit = Deno.exit } = this.#options;
    exit(code);
  }

  /** An error that nobody has caught. */
  #fail(message: string, error: unknown): void {
    this.#loop?.report({ message, exception: error });
    this.#failure ??= { error };
    this.#beginShutdown(message);
  }

  /** Starts the services, and what goes on beside them. */
  #begin(): void {
    this.#supervising = createTask(() => this.#supervisor.run(), {
      name: `the services of ${this.#name}`,
    });
    const help = (name: string, fn: () => Promise<void>): void => {
      this.#helpers.push(createTask(fn, { name: `${name} of ${this.#name}` }));
    };
    help("the health", async () => {
      // The first look sees what starts at once.
      await sleep(0);
      await this.health.run();
    });
    help("the start", async () => {
      try {
        await this.#supervisor.untilStarted();
      } catch (error) {
        // It shuts down before that.
        if (error instanceof InvalidStateError) return;
        throw error;
      }
      this.health.markStarted();
      this.#started.set();
    });
    help("the end", async () => {
      await this.#supervisor.untilStopping();
      this.#beginShutdown("its services have ended");
    });
  }

  #beginShutdown(reason: string): void {
    if (this.#stopping.isSet) return;
    const loop = this.#loop as EventLoop;
    this.health.drain();
    this.#stopping.set();
    this.#tell("onShutdown", this.#options.onShutdown, reason);
    const start = loop.time();
    // It is a task of the root: nobody's cancellation ends it half way.
    spawn(loop.root, () => this.#shutDown(loop, start), {
      name: `the shutdown of ${this.#name}`,
      // A hard cancellation may keep it from its beginning.
      onEnd: ({ outcome }) => {
        outcome.observe();
        this.#finish(reason, loop.time() - start);
      },
    });
  }

  async #shutDown(loop: EventLoop, start: number): Promise<void> {
    await this.#delay();
    const spentMs = loop.time() - start;
    const deadlineMs = Math.max(0, this.#shutdownMs - spentMs);
    this.#stops = await this.#supervisor.stop({ deadlineMs });
    await this.#end();
  }

  #finish(reason: string, ms: number): void {
    this.#unguard();
    for (const helper of this.#helpers) helper.cancel("all has ended");
    const failure = this.#failure;
    const report = this.#report = new ShutdownReport({
      reason: failure?.error instanceof SupervisorError
        ? failure.error.message
        : reason,
      signal: this.#signal,
      hurried: this.#hurry.isSet,
      ms,
      deadlineMs: this.#shutdownMs,
      services: this.#stops,
      blocked: [...this.#blockers(this.#stops), ...this.#http?.cut ?? []],
      failure,
    });
    this.#stopped.set();
    this.#tell("onReport", this.#options.onReport, report);
  }

  /** Gives load balancers time to learn that there is to be no more work. */
  async #delay(): Promise<void> {
    // Without the services there is nothing to serve with.
    if (!this.#started.isSet || this.#supervisor.stopping) return;
    const ms = Math.min(this.#endpointDelayMs, this.#shutdownMs / 2);
    if (ms === 0) return;
    await select({
      hurry: this.#hurry.waitOp(),
      late: sleepOp(ms),
    }, { biased: true });
  }

  /** Waits until the supervisor has ended, and asks why. */
  async #end(): Promise<void> {
    const supervising = this.#supervising as Task<unknown>;
    await wait([supervising]);
    if (supervising.cancelled) return;
    const error = supervising.exception();
    if (error !== undefined) this.#failure ??= { error };
  }

  *#blockers(stops: readonly ServiceStop[]): Generator<ShutdownBlocker> {
    for (const { name, how, waitsFor } of stops) {
      if (how === "stuck") yield { name, how, waitsFor };
      // Other services may need to be cancelled; of a worker it cuts a step.
      else if (how === "cancelled" && this.#workerNames.has(name)) {
        yield { name, how: "cut", waitsFor };
      }
    }
  }
}

/** Options of {@linkcode Application.run}. */
export type ApplicationRunOptions = Omit<
  RunOptions,
  "interrupt" | "leftovers" | "graceMs"
>;

const FUNCTIONS = [
  "worker",
  "flush",
  "onHealth",
  "onSignal",
  "onShutdown",
  "onReport",
  "exit",
] as const;
