import type { Duration } from "../_internal/check.ts";
import type { Operation } from "../_internal/operation.ts";

/**
 * When a service is started again: whenever it ends, only if it has failed, or
 * never.
 */
export type RestartPolicy = "permanent" | "transient" | "temporary";

/**
 * What is started again when a service has to be: only itself, all services, or
 * itself and those that depend on it.
 */
export type RestartStrategy = "one-for-one" | "one-for-all" | "rest-for-one";

/** Where a service stands. */
export type ServiceState =
  | "waiting"
  | "starting"
  | "running"
  | "stopping"
  | "restarting"
  | "done"
  | "failed";

/** What a service receives when it is run. */
export interface ServiceContext {
  /** The name of the service. */
  readonly name: string;
  /** Which run it is: 1 for the first. */
  readonly attempt: number;
  /** Aborts when the service is cancelled; it was asked to stop before. */
  readonly signal: AbortSignal;
  /** Whether the service is asked to finish what it does, and to end. */
  readonly stopping: boolean;
  /** Waits until the service is asked to end. */
  untilStopping(): Promise<void>;
  /** The same as a choice of `select`. */
  stoppingOp(): Operation<true>;
  /** Says that the service can be used; see {@linkcode Service.readiness}. */
  ready(): void;
  /** Says that the service is alive; see {@linkcode Service.heartbeatMs}. */
  heartbeat(): void;
}

/** Something that runs until it is asked to end. */
export interface Service {
  /** How errors, reports and other services call it. */
  name: string;
  /**
   * Does the work. It returns when it is asked to end; if it returns or throws
   * before, `restart` says what happens.
   */
  run(context: ServiceContext): unknown;
  /**
   * The names of services that must be ready before this one is started, and that
   * are stopped after it.
   */
  dependsOn?: readonly string[];
  /**
   * When it is started again.
   *
   * @default {"permanent"}
   */
  restart?: RestartPolicy;
  /**
   * Whether it is ready as soon as it was started, or when it calls `ready()`.
   *
   * @default {"started"}
   */
  readiness?: "started" | "told";
  /**
   * How long it may take to be ready; then it has failed.
   *
   * @default {30000}
   */
  startMs?: Duration;
  /**
   * How long it may take to end when it is asked to; then it is cancelled. It is
   * also how long it may take to end when it has failed by its time: then it is
   * left behind, and started again.
   *
   * @default {5000}
   */
  shutdownMs?: Duration;
  /**
   * How long it may go without a heartbeat; then it has failed. While it is asked
   * to end it needs none.
   *
   * @default {Infinity}
   */
  heartbeatMs?: Duration;
  /**
   * Whether its end matters to `autoShutdown`.
   *
   * @default {false}
   */
  significant?: boolean;
}

/** What has become of a service that was stopped. */
export interface ServiceStop {
  /** The name of the service. */
  readonly name: string;
  /**
   * `"drained"`: it has ended when it was asked to. `"cancelled"`: it had to be
   * cancelled. `"stuck"`: it has not ended at all.
   */
  readonly how: "drained" | "cancelled" | "stuck";
  /** How long that took. */
  readonly ms: number;
  /** What a service that is stuck waits for. */
  readonly waitsFor: readonly string[];
}

/** What a supervisor tells of its services. */
export type SupervisorEvent =
  | { readonly kind: "ready"; readonly service: string }
  | { readonly kind: "ended"; readonly service: string }
  | {
    readonly kind: "failed";
    readonly service: string;
    readonly error: unknown;
  }
  | {
    readonly kind: "restarting";
    readonly service: string;
    readonly delayMs: number;
  }
  | {
    readonly kind: "stopped";
    readonly service: string;
    readonly stop: ServiceStop;
  };

/** Thrown when a service is not ready in time. */
export class ServiceStartError extends Error {
  static {
    this.prototype.name = "ServiceStartError";
  }
  /** The name of the service. */
  readonly service: string;

  /** Creates the error of one service. */
  constructor(service: string, ms: number) {
    super(`Cannot start service "${service}": it is not ready after ${ms} ms`);
    this.service = service;
  }
}

/** Thrown when a service has not given a sign of life in time. */
export class HeartbeatError extends Error {
  static {
    this.prototype.name = "HeartbeatError";
  }
  /** The name of the service. */
  readonly service: string;

  /** Creates the error of one service. */
  constructor(service: string, ms: number) {
    super(
      `Cannot rely on service "${service}": there was no heartbeat for ${ms} ms`,
    );
    this.service = service;
  }
}

/** Thrown by a supervisor that has given up, once all services were stopped. */
export class SupervisorError extends Error {
  static {
    this.prototype.name = "SupervisorError";
  }
  /** The service that has failed last; `options.cause` is its error. */
  readonly service: string;
  /** What has become of the services. */
  readonly stops: readonly ServiceStop[];

  /** Creates the error. */
  constructor(
    service: string,
    why: string,
    options: { cause: unknown; stops: readonly ServiceStop[] },
  ) {
    super(`Cannot go on without service "${service}": ${why}`, {
      cause: options.cause,
    });
    this.service = service;
    this.stops = options.stops;
  }
}
