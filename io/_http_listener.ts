import { isCancelled } from "../primitives/errors.ts";
import { getRunningLoop, type Loop } from "../primitives/loop.ts";
import { moveOnAfter } from "../primitives/timeout.ts";
import { Ending } from "./_ending.ts";

/** How long clients may take to read the last of what they get. */
const FLUSH_MS = 5000;

/** What a new listener is told. */
export interface HttpListenerOptions {
  readonly hostname: string;
  readonly port: number;
  /** How reports call the server. */
  readonly name: string;
  readonly handler: Deno.ServeHandler<Deno.NetAddr>;
  readonly onListen: ((addr: Deno.NetAddr) => void) | undefined;
  /** Called when it has ended, in whatever way. */
  readonly onEnd: () => void;
}

/** The platform's server, which ends in one of two ways. */
export class HttpListener {
  readonly finished: Ending;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #name: string;
  readonly #loop: Loop = getRunningLoop();
  readonly #cut = new AbortController();
  #isClosing = false;

  constructor(options: HttpListenerOptions) {
    const { hostname, port, name, handler, onListen, onEnd } = options;
    this.#name = name;
    this.finished = new Ending(`the end of ${name}`);
    this.#http = Deno.serve({
      hostname,
      port,
      signal: this.#cut.signal,
      onListen: (addr) => this.#listening(addr, onListen),
      onError: (error) => this.#failed(error),
    }, handler);
    this.#http.finished.catch((error) => this.#failed(error)).then(() => {
      this.#isClosing = true;
      this.finished.reach();
      onEnd();
    });
  }

  get addr(): Deno.NetAddr {
    return this.#http.addr;
  }

  /** Closes the port, and waits until all connections have come to rest. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#http.shutdown().catch((error) => this.#failed(error));
    }
    const { timedOut } = await moveOnAfter(FLUSH_MS, async () => {
      await this.finished;
    });
    if (!timedOut) return;
    this.report("there are clients that do not read what they get");
    this.finished.reach();
  }

  /** Cuts all connections, unless `close` was called: the platform cannot then. */
  cut(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#cut.abort();
  }

  report(what: string, exception?: unknown): void {
    this.#loop.callExceptionHandler({
      message: `Trouble with ${this.#name}: ${what}`,
      ...(exception === undefined ? {} : { exception }),
    });
  }

  #listening(
    addr: Deno.NetAddr,
    onListen: HttpListenerOptions["onListen"],
  ): void {
    try {
      onListen?.(addr);
    } catch (exception) {
      this.report('"onListen" has failed', exception);
    }
  }

  /** What is told of failures outside of handlers, such as in a body. */
  #failed(exception: unknown): Response {
    if (!isCancelled(exception)) {
      this.report("a response cannot be delivered", exception);
    }
    return new Response("Internal Server Error", { status: 500 });
  }
}
