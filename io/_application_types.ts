import type { Duration } from "../_internal/check.ts";
import type { Operation } from "../_internal/operation.ts";
import type { HealthCheck, HealthReport } from "../patterns/health.ts";
import type { Service, SupervisorOptions } from "../patterns/supervisor.ts";
import type { ShutdownReport } from "./_shutdown_report.ts";
import type { ServeOptions } from "./serve.ts";

/** The figures of an application. */
export interface AppConfig {
  /**
   * How many workers there are, if `worker` is given.
   *
   * @default {4}
   */
  workerCount?: number;
  /**
   * How long a shutdown may take, with all that belongs to it.
   *
   * @default {30000}
   */
  shutdownMs?: Duration;
  /**
   * How long to wait between two looks at the health.
   *
   * @default {5000}
   */
  healthIntervalMs?: Duration;
  /**
   * How long one step of a worker may take; then it is cancelled, and reported, and
   * the worker goes on with the next.
   *
   * @default {10000}
   */
  taskTimeoutMs?: Duration;
}

/** What a worker receives with each step. */
export interface ApplicationWorker {
  /** The number of the worker: 0 for the first. */
  readonly id: number;
  /** The name of the worker: `worker-0` for the first. */
  readonly name: string;
  /** Which run of the worker it is; more than 1 after a crash. */
  readonly attempt: number;
  /** Whether it is asked to end: there will be no next step. */
  readonly stopping: boolean;
  /** Aborts when the worker is cancelled. */
  readonly signal: AbortSignal;
  /** Waits until the worker is asked to end. */
  untilStopping(): Promise<void>;
  /** The same as a choice of `select`. */
  stoppingOp(): Operation<true>;
}

/** What a handler receives besides the request. */
export interface ApplicationRequestContext {
  /** What the platform knows of the request. */
  readonly info: Deno.ServeHandlerInfo<Deno.NetAddr>;
  /**
   * Makes a WebSocket of the request, like `Deno.upgradeWebSocket`. It is closed
   * with the code 1001 when the application shuts down.
   */
  upgradeWebSocket(
    options?: Deno.UpgradeWebSocketOptions,
  ): Deno.WebSocketUpgrade;
}

/** How an application serves HTTP. */
export interface ApplicationHttpOptions extends
  Pick<
    ServeOptions,
    "port" | "hostname" | "deadlineMs" | "onError" | "onListen"
  > {
  /** Answers requests. */
  handler: (
    request: Request,
    context: ApplicationRequestContext,
  ) => Response | PromiseLike<Response>;
  /**
   * Where the health is told: below it are `/startup`, `/live` and `/ready`, which
   * answer 200 or 503; `null` for nowhere.
   *
   * @default {"/health"}
   */
  healthPath?: string | null;
  /**
   * Whether the health is told with reasons, which name what is inside.
   *
   * @default {false}
   */
  healthDetails?: boolean;
}

/** Options of an `Application`. */
export interface ApplicationOptions extends AppConfig {
  /**
   * How reports call it.
   *
   * @default {"application"}
   */
  name?: string;
  /** What runs in it, and in which order; see `Supervisor`. */
  services?: Iterable<Service>;
  /** Does one step of work. Workers call it again and again, until the shutdown. */
  worker?: (worker: ApplicationWorker) => unknown;
  /** Serves HTTP, once services and workers are ready. */
  http?: ApplicationHttpOptions;
  /** What the health depends on. */
  checks?: Iterable<HealthCheck>;
  /** When services are started again, and when it gives up. */
  supervisor?: Omit<SupervisorOptions, "deadlineMs">;
  /**
   * How long it goes on to serve after it has said that it is not ready, so that
   * load balancers learn of it; some 5 s in a cluster. It is part of `shutdownMs`.
   *
   * @default {0}
   */
  endpointDelayMs?: Duration;
  /** Called when all services have ended, to send off what is buffered. */
  flush?: () => unknown;
  /** Told after each look at the health. */
  onHealth?: (report: HealthReport) => void;
  /** Told the signals that it receives. */
  onSignal?: (name: "SIGINT" | "SIGTERM") => void;
  /** Told when a shutdown begins, and why. */
  onShutdown?: (reason: string) => void;
  /** Told what came of the shutdown. */
  onReport?: (report: ShutdownReport) => void;
  /**
   * Whether it listens to SIGINT and SIGTERM, and to errors that nobody catches.
   *
   * @default {true}
   */
  guard?: boolean;
  /**
   * Ends the process at once, after a third signal.
   *
   * @default {Deno.exit}
   */
  exit?: (code: number) => void;
}
