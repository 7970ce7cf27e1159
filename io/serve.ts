/**
 * An HTTP server whose requests are tasks: each ends with its client, with its
 * deadline, or with the server, which drains before it closes.
 *
 * It needs the permission `net` for the address.
 *
 * ```ts ignore
 * import { run } from "@ilmek/async/run";
 * import { serve } from "@ilmek/async/serve";
 *
 * await run(async () => {
 *   await using server = serve(() => new Response("hello"), { port: 8000 });
 *   await server.finished; // Until SIGINT or SIGTERM.
 * });
 * ```
 *
 * @module
 */
import {
  checkFunction,
  type Duration,
  toLimitMs,
  toMs,
} from "../_internal/check.ts";
import { listen } from "../_internal/signal.ts";
import { throwIfCancelled } from "../primitives/checkpoint.ts";
import { bind } from "../primitives/detach.ts";
import { isCancelled } from "../primitives/errors.ts";
import { Future } from "../primitives/future.ts";
import { getRunningLoop, Loop } from "../primitives/loop.ts";
import { sleep } from "../primitives/sleep.ts";
import { createTask } from "../primitives/task.ts";
import { moveOnAfter, type TimeoutScope } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { Exchange, type ExchangePlan, unavailable } from "./_exchange.ts";
import { HttpListener } from "./_http_listener.ts";

export type { Duration } from "../_internal/check.ts";

/** How long requests that were cancelled may take for their cleanup. */
const CLEANUP_MS = 5000;

/** How long the last answers have to get out before connections are cut. */
const LINGER_MS = 20;

/** Answers a request. */
export type ServeHandler = (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Response | PromiseLike<Response>;

/** Options of {@linkcode serve}. */
export interface ServeOptions {
  /**
   * The port to listen to; 0 for any that is free.
   *
   * @default {8000}
   */
  port?: number;
  /**
   * The address to listen to.
   *
   * @default {"0.0.0.0"}
   */
  hostname?: string;
  /** How reports call the server. */
  name?: string;
  /**
   * How long the handler may take until it has a response; `null` for ever. After
   * that it is cancelled, and the client gets the status 503 at once. A body that
   * is a stream may take longer.
   *
   * @default {null}
   */
  deadlineMs?: Duration | null;
  /**
   * How long requests may go on when the server is shut down, or its scope
   * cancelled. After that they are cancelled.
   *
   * @default {5000}
   */
  graceMs?: Duration;
  /** Shuts the server down when it aborts. */
  signal?: AbortSignal;
  /**
   * Called when the handler has failed, in the scope of the request. It may give
   * the response; else the client gets the status 500. Without it the loop's
   * exception handler is told.
   */
  onError?: (
    error: unknown,
    request: Request,
  ) => Response | void | PromiseLike<Response | void>;
  /** Called when the server listens. */
  onListen?: (addr: Deno.NetAddr) => void;
  /**
   * Answers requests that come while the server shuts down, such as those of a
   * health check; it gives nothing for the status 503. It is called outside of all
   * scopes.
   */
  onRefused?: (request: Request) => Response | undefined;
}

/** A request at work, as {@linkcode Server.requests} tells it. */
export interface ServedRequest {
  /** Its method and its path. */
  readonly name: string;
  /** How long ago it came. */
  readonly ms: number;
  /** What it waits for. */
  readonly waitsFor: readonly string[];
}

/** Options of {@linkcode Server.shutdown}. */
export interface ServerShutdownOptions {
  /**
   * How long requests may go on before they are cancelled.
   *
   * @default {what the server was made with}
   */
  graceMs?: Duration;
}

/**
 * A server at work; see {@linkcode serve}.
 *
 * @example Shut a server down
 * ```ts
 * import { serve } from "@ilmek/async/serve";
 * import { assertEquals } from "@std/assert";
 *
 * const server = serve(() => new Response("hello"), {
 *   hostname: "127.0.0.1",
 *   port: 0,
 * });
 * await server.shutdown();
 *
 * assertEquals(server.inFlight, 0);
 * ```
 */
export class Server implements AsyncDisposable {
  readonly #listener: HttpListener;
  readonly #loop: Loop = getRunningLoop();
  readonly #name: string;
  readonly #graceMs: number;
  readonly #requests = new Set<Exchange>();
  /** Set when the server is to end. */
  readonly #stopped: Future<void>;
  /** The loop's time at which requests in flight are cancelled. */
  #drainLimit = Infinity;
  #drain:
    | { readonly scope: TimeoutScope; readonly done: Future<void> }
    | undefined;
  /** How many requests there are whose response is not delivered. */
  #undelivered = 0;
  readonly #refuse: (request: Request) => Response;
  #dispatch: Deno.ServeHandler<Deno.NetAddr> = unavailable;

  /**
   * Servers come from `serve`.
   *
   * @internal
   */
  constructor(handler: ServeHandler, options: ServeOptions) {
    const { port = 8000, hostname = "0.0.0.0", signal } = options;
    const { name = "server", deadlineMs = null, graceMs = 5000 } = options;
    const { onError, onListen, onRefused } = options;
    checkFunction(handler, "serve", "handler");
    if (onError !== undefined) checkFunction(onError, "serve", "onError");
    if (onListen !== undefined) checkFunction(onListen, "serve", "onListen");
    if (onRefused !== undefined) {
      checkFunction(onRefused, "serve", "onRefused");
    }
    this.#refuse = (request) => this.#refusal(request, onRefused);
    const limitMs = toLimitMs(deadlineMs, "serve", "deadlineMs");
    this.#graceMs = toMs(graceMs, "serve", "graceMs");
    this.#name = name;
    throwIfCancelled();
    signal?.throwIfAborted();
    this.#stopped = new Future<void>({ name: `the shutdown of ${name}` });
    this.#listener = new HttpListener({
      hostname,
      port,
      name,
      onListen,
      handler: (request, info) => this.#dispatch(request, info),
      onEnd: () => {
        unlisten?.();
        this.#stop(0);
      },
    });
    const unlisten = signal && listen(signal, () => this.#stop(this.#graceMs));
    const plan = {
      handler,
      onError,
      deadlineMs: limitMs,
      onEnd: (exchange: Exchange) => this.#ended(exchange),
    };
    // The first step binds the requests to the present scope.
    createTask(() => this.#live(plan), { name, scope: "current", eager: true });
  }

  /** The address that the server listens to. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** The address as a URL, such as `http://127.0.0.1:8000`. */
  get url(): string {
    const { hostname, port } = this.addr;
    if (hostname === "0.0.0.0" || hostname === "::") {
      return `http://localhost:${port}`;
    }
    return hostname.includes(":")
      ? `http://[${hostname}]:${port}`
      : `http://${hostname}:${port}`;
  }

  /** How many requests are at work: their handlers, and bodies that are streams. */
  get inFlight(): number {
    return this.#requests.size;
  }

  /** The requests at work, oldest first. */
  get requests(): ServedRequest[] {
    return [...this.#requests].map((exchange) => exchange.status());
  }

  /**
   * Resolves when the server has ended. To await it is a wait that ends with the
   * ambient scope; the server goes on then.
   */
  get finished(): PromiseLike<void> {
    return this.#listener.finished;
  }

  /**
   * Shuts the server down, and waits for its end.
   *
   * From now on requests get the status 503. When those in flight have ended, or
   * have been cancelled after `graceMs`, the port is closed. A later call can make
   * the grace shorter. It also runs to its end in a scope that was cancelled.
   * Handlers do not await it: it would wait for them.
   *
   * @param options Additional options.
   * @throws {RangeError} If `options.graceMs` is negative or not a number.
   */
  async shutdown(options: ServerShutdownOptions = {}): Promise<void> {
    const { graceMs = this.#graceMs } = options;
    this.#stop(toMs(graceMs, "shut a server down", "graceMs"));
    await uncancellable(async () => {
      await this.finished;
    }, { name: `the shutdown of ${this.#name}`, graceMs: Infinity });
  }

  /** Shuts the server down. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** The life of the server, in the scope that it was made in. */
  async #live(plan: ExchangePlan): Promise<void> {
    // Requests see nothing of a cancellation before the server has drained.
    const serving = uncancellable(
      () => this.#serve(plan),
      { name: this.#name, graceMs: Infinity },
    );
    try {
      await this.#stopped;
    } catch {
      this.#stop(this.#graceMs);
    }
    await serving;
  }

  async #serve(plan: ExchangePlan): Promise<void> {
    // The platform calls handlers outside of all scopes.
    this.#dispatch = bind((request, info) => {
      const exchange = new Exchange(request, info, plan);
      this.#requests.add(exchange);
      this.#undelivered++;
      const delivered = () => this.#undelivered--;
      info.completed.then(delivered, delivered);
      return exchange.response;
    });
    const close = Loop.coreOf(this.#loop).expectOutside();
    try {
      await this.#stopped;
      this.#dispatch = this.#refuse;
      if (!await this.#drained(this.#drainLimit)) await this.#cancelRequests();
      await this.#close();
    } catch (error) {
      if (!isCancelled(error)) throw error;
      // A hard cancellation leaves no time.
      this.#listener.cut();
    } finally {
      close();
    }
  }

  /** Waits until no request is at work; `false` if that is not so at `limit`. */
  async #drained(limit: number): Promise<boolean> {
    if (this.#requests.size === 0) return true;
    const ms = Math.max(0, limit - this.#loop.time());
    const { timedOut } = await moveOnAfter(ms, (scope) => {
      const done = new Future<void>({ name: "the end of the last request" });
      this.#drain = { scope, done };
      return done;
    });
    this.#drain = undefined;
    return !timedOut;
  }

  async #cancelRequests(): Promise<void> {
    for (const exchange of this.#requests) {
      exchange.cancel("the server shuts down");
    }
    if (await this.#drained(this.#loop.time() + CLEANUP_MS)) return;
    const names = [...this.#requests].map(({ name }) => `"${name}"`).join(", ");
    this.#listener.report(
      `${names} did not end within ${CLEANUP_MS} ms after the cancellation`,
    );
  }

  async #close(): Promise<void> {
    // The last answers are about to go out; a stream may go on for ever.
    if (this.#undelivered > 0) await sleep(LINGER_MS);
    if (this.#undelivered > 0) this.#listener.cut();
    await this.#listener.close();
  }

  #refusal(
    request: Request,
    onRefused: ServeOptions["onRefused"],
  ): Response {
    try {
      return onRefused?.(request) ?? unavailable();
    } catch (error) {
      this.#listener.report('"onRefused" has failed', error);
      return unavailable();
    }
  }

  #stop(graceMs: number): void {
    const limit = this.#loop.time() + graceMs;
    if (limit < this.#drainLimit) {
      this.#drainLimit = limit;
      const { scope } = this.#drain ?? {};
      if (scope?.expired === false) scope.reschedule(limit);
    }
    if (!this.#stopped.done) this.#stopped.setResult();
  }

  #ended(exchange: Exchange): void {
    this.#requests.delete(exchange);
    const { done } = this.#drain ?? {};
    if (this.#requests.size === 0 && done?.done === false) done.setResult();
  }
}

/**
 * Serves HTTP: calls `handler` for each request, in a task and a scope of its own
 * below the present scope.
 *
 * The scope of a request ends when the response has been handed over to the
 * platform, or, if its body is a stream, when that was delivered. It is cancelled
 * when the client leaves before; not after a success. The functions of a stream
 * are called outside of it: wrap them in `bind()`. When the present scope is
 * cancelled, the server drains, as by {@linkcode Server.shutdown}.
 *
 * Deno aborts `request.signal` after a success, too, and prints a warning when
 * requests that took some time were answered; the setting
 * `"unstable": ["no-legacy-abort"]` in `deno.json` ends that.
 *
 * @param handler What answers requests.
 * @param options Additional options.
 * @returns The server, which listens.
 * @throws {TypeError} If `handler` is not a function.
 * @throws {RangeError} If a duration is negative or not a number.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws What the platform throws if the address cannot be had.
 *
 * @example Serve, and ask
 * ```ts
 * import { serve } from "@ilmek/async/serve";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = async () => {
 *   await sleep(1); // Ends when the client leaves.
 *   return new Response("hello");
 * };
 * await using server = serve(handler, { hostname: "127.0.0.1", port: 0 });
 * const response = await fetch(server.url);
 *
 * assertEquals(await response.text(), "hello");
 * ```
 */
export function serve(
  handler: ServeHandler,
  options: ServeOptions = {},
): Server {
  return new Server(handler, options);
}
