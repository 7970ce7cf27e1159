import {
  checkCount,
  checkFunction,
  type Duration,
  toMs,
} from "../_internal/check.ts";
import { listen } from "../_internal/signal.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { isCancelled } from "../primitives/errors.ts";
import { Future } from "../primitives/future.ts";
import { getRunningLoop, type Loop } from "../primitives/loop.ts";
import { sleep } from "../primitives/sleep.ts";
import { createTask, type Task } from "../primitives/task.ts";
import { moveOnAfter, type TimeoutScope } from "../primitives/timeout.ts";
import { uncancellable } from "../primitives/uncancellable.ts";
import { Ending } from "./_ending.ts";
import { TcpLostError } from "./_tcp_errors.ts";
import { TcpStream } from "./_tcp_stream.ts";

/** How long it waits after the system could not give it a connection. */
const ACCEPT_PAUSE_MS = 50;

/** What answers a connection. */
export type TcpHandler = (stream: TcpStream) => unknown;

/** Options of `serveTcp`. */
export interface ServeTcpOptions {
  /**
   * The port; 0 for one that is free.
   *
   * @default {0}
   */
  port?: number;
  /**
   * The address to listen to.
   *
   * @default {"0.0.0.0"}
   */
  hostname?: string;
  /**
   * How reports call the server.
   *
   * @default {"tcp server"}
   */
  name?: string;
  /**
   * How many connections there may be. Others wait with the system.
   *
   * @default {Infinity}
   */
  maxConnections?: number;
  /**
   * How long connections may go on when the server shuts down.
   *
   * @default {5000}
   */
  graceMs?: Duration;
  /** Shuts the server down when it aborts. */
  signal?: AbortSignal;
  /**
   * Is told what a handler throws, besides cancellations and lost connections.
   *
   * @default {the loop's exception handler}
   */
  onError?: (error: unknown, stream: TcpStream) => void;
}

/** Options of {@linkcode TcpServer.shutdown}. */
export interface TcpShutdownOptions {
  /**
   * How long connections may go on before they are cancelled.
   *
   * @default {what the server was made with}
   */
  graceMs?: Duration;
}

/**
 * A server of TCP at work; see `serveTcp`.
 *
 * @example Shut a server down
 * ```ts
 * import { serveTcp } from "@ilmek/async/tcp";
 * import { assertEquals } from "@std/assert";
 *
 * const server = serveTcp(() => {}, { hostname: "127.0.0.1" });
 * await server.shutdown();
 *
 * assertEquals(server.connections, 0);
 * ```
 */
export class TcpServer implements AsyncDisposable {
  /** Resolves when the server has ended. To await it is a wait. */
  readonly finished: PromiseLike<void>;
  readonly #ended: Ending;
  readonly #listener: Deno.TcpListener;
  readonly #handler: TcpHandler;
  readonly #onError: ServeTcpOptions["onError"];
  readonly #name: string;
  readonly #maxConnections: number;
  readonly #graceMs: number;
  readonly #loop: Loop = getRunningLoop();
  readonly #tasks = new Set<Task<void>>();
  readonly #stopped: Future<void>;
  /** Set while somebody waits for a connection to end. */
  #room: Future<void> | undefined;
  /** The loop's time at which connections are cancelled. */
  #drainLimit = Infinity;
  #draining: TimeoutScope | undefined;
  #isListening = true;

  /**
   * Servers come from `serveTcp`.
   *
   * @internal
   */
  constructor(handler: TcpHandler, options: ServeTcpOptions) {
    const { port = 0, hostname = "0.0.0.0", name = "tcp server" } = options;
    const { maxConnections = Infinity, graceMs = 5000 } = options;
    const { signal, onError } = options;
    checkFunction(handler, "serve", "handler");
    if (onError !== undefined) checkFunction(onError, "serve", "onError");
    this.#maxConnections = checkCount(
      maxConnections,
      "serve",
      "maxConnections",
    );
    this.#graceMs = toMs(graceMs, "serve", "graceMs");
    this.#handler = handler;
    this.#onError = onError;
    this.#name = name;
    throwIfCancelled();
    signal?.throwIfAborted();
    this.#stopped = new Future<void>({ name: `the shutdown of ${name}` });
    this.finished = this.#ended = new Ending(`the end of ${name}`);
    this.#listener = Deno.listen({ hostname, port });
    const unlisten = signal && listen(signal, () => this.#stop(this.#graceMs));
    // The first step binds the connections to the present scope.
    createTask(async () => {
      try {
        await this.#live();
      } finally {
        unlisten?.();
        this.#ended.reach();
      }
    }, { name, scope: "current", eager: true });
  }

  /** The address that the server listens to. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#tasks.size;
  }

  /**
   * Shuts the server down: no more connections are taken, and those that there are
   * may go on for a while. After that they are cancelled, and waited for. A later
   * call can make the grace shorter.
   *
   * It also runs to its end in a scope that was cancelled. Handlers do not await it:
   * it would wait for them.
   *
   * @param options Additional options.
   * @throws {RangeError} If `options.graceMs` is negative or not a number.
   */
  async shutdown(options: TcpShutdownOptions = {}): Promise<void> {
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
  async #live(): Promise<void> {
    // Connections see nothing of a cancellation before the server has drained.
    const serving = uncancellable(() => this.#serve(), {
      name: this.#name,
      graceMs: Infinity,
    });
    try {
      await this.#stopped;
    } catch {
      this.#stop(this.#graceMs);
    }
    await serving;
  }

  async #serve(): Promise<void> {
    try {
      while (this.#isListening) {
        await this.#roomToAccept();
        const native = await this.#accept();
        if (native !== undefined) this.#start(native);
      }
      if (!await this.#drained(this.#drainLimit)) {
        for (const task of this.#tasks) task.cancel("the server shuts down");
        await this.#roomFor(1);
      }
    } finally {
      // A hard cancellation leaves no time.
      this.#close();
    }
  }

  /** Takes a connection; `undefined` if there is none. */
  async #accept(): Promise<Deno.TcpConn | undefined> {
    if (!this.#isListening) return undefined;
    const accepting = this.#listener.accept();
    try {
      return await abortable(accepting);
    } catch (error) {
      // One that comes although nobody waits for it any more.
      accepting.then((native) => native.close(), () => {});
      if (isCancelled(error)) throw error;
      if (!this.#isListening) return undefined;
      this.#report("a connection cannot be taken", error);
      // Most likely there are too many open files: others have to end first.
      await sleep(ACCEPT_PAUSE_MS);
      return undefined;
    }
  }

  #start(native: Deno.TcpConn): void {
    const { hostname, port } = native.remoteAddr;
    const task: Task<void> = createTask(() => this.#handle(native), {
      name: `${this.#name}: ${hostname}:${port}`,
      scope: "current",
    });
    this.#tasks.add(task);
    task.addDoneCallback(() => {
      // If it was cancelled before it began.
      closeNative(native);
      this.#tasks.delete(task);
      if (this.#room?.done === false) this.#room.setResult();
    });
  }

  async #handle(native: Deno.TcpConn): Promise<void> {
    using stream = new TcpStream(native);
    try {
      await this.#handler(stream);
    } catch (error) {
      // To cancel is the server's business, and that clients leave is theirs.
      if (isCancelled(error) || error instanceof TcpLostError) return;
      this.#told(error, stream);
    }
  }

  #told(error: unknown, stream: TcpStream): void {
    if (this.#onError === undefined) {
      return this.#report("a handler has failed", error);
    }
    try {
      this.#onError(error, stream);
    } catch (exception) {
      this.#report('"onError" has thrown', exception);
    }
  }

  /** Waits until there may be one more connection, or no more at all. */
  async #roomToAccept(): Promise<void> {
    while (this.#isListening && this.#tasks.size >= this.#maxConnections) {
      await this.#change();
    }
  }

  /** Waits until there are less than `count` connections. */
  async #roomFor(count: number): Promise<void> {
    while (this.#tasks.size >= count) await this.#change();
  }

  async #change(): Promise<void> {
    this.#room = new Future<void>({ name: "the end of a connection" });
    await this.#room;
  }

  /** Waits until no connection is left; `false` if that is not so at `limit`. */
  async #drained(limit: number): Promise<boolean> {
    const ms = Math.max(0, limit - this.#loop.time());
    const { timedOut } = await moveOnAfter(ms, async (scope) => {
      this.#draining = scope;
      await this.#roomFor(1);
    });
    this.#draining = undefined;
    return !timedOut;
  }

  #stop(graceMs: number): void {
    const limit = this.#loop.time() + graceMs;
    if (limit < this.#drainLimit) {
      this.#drainLimit = limit;
      if (this.#draining?.expired === false) this.#draining.reschedule(limit);
    }
    this.#close();
    if (this.#room?.done === false) this.#room.setResult();
    if (!this.#stopped.done) this.#stopped.setResult();
  }

  #close(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#listener.close();
  }

  #report(what: string, exception: unknown): void {
    this.#loop.callExceptionHandler({
      message: `Trouble with ${this.#name}: ${what}`,
      exception,
    });
  }
}

function closeNative(native: Deno.TcpConn): void {
  try {
    native.close();
  } catch {
    // It is closed already.
  }
}
