/**
 * Requests over HTTP that end with the ambient scope, with a time limit, and with
 * their session.
 *
 * It needs the permission `net` for the servers.
 *
 * ```ts ignore
 * import { HttpSession } from "@ilmek/async/http-session";
 *
 * await using session = new HttpSession({ baseUrl: "https://api.example.com" });
 * const response = await session.get("/users", { query: { page: 2 } });
 * console.log(await response.json());
 * ```
 *
 * @module
 */
import { checkCount, checkFunction, toLimitMs } from "../_internal/check.ts";
import { listen } from "../_internal/signal.ts";
import { throwIfCancelled } from "../primitives/checkpoint.ts";
import { currentSignal } from "../primitives/scope.ts";
import { HttpAuthorization } from "./_http_authorization.ts";
import { networkErrorOf, SessionClosedError } from "./_http_errors.ts";
import { HttpExchange } from "./_http_exchange.ts";
import { HttpPolicies, isRetriableStatus, Replay } from "./_http_policies.ts";
import { HttpResponse, statusErrorOf } from "./_http_response.ts";
import type {
  HttpRequestOptions,
  HttpSessionOptions,
  HttpSessionRequestOptions,
} from "./_http_session_types.ts";
import { addQuery, parseBase, urlBelow } from "./_http_urls.ts";

export type { Duration } from "../_internal/check.ts";
export {
  BodyEncodingError,
  BodyTooLargeError,
  HttpStatusError,
  type HttpStatusErrorOptions,
  JsonError,
  NetworkError,
  type RequestSent,
  SessionClosedError,
} from "./_http_errors.ts";
export { RequestNotReplayableError } from "./_http_policies.ts";
export type {
  HttpAuthorize,
  HttpAuthorizeContext,
} from "./_http_authorization.ts";
export type {
  HttpRequestOptions,
  HttpSessionOptions,
  HttpSessionRequestOptions,
} from "./_http_session_types.ts";
export type { Query, QueryValue } from "./_http_urls.ts";
export {
  type HttpChunksOptions,
  type HttpProgress,
  HttpResponse,
} from "./_http_response.ts";

/**
 * A client for HTTP: what its requests have in common, and what ends them.
 *
 * A request is a wait. When its scope is cancelled, its time is over or the session
 * is closed, the request is aborted, and so is a response that nobody has read.
 * While it is under way, virtual time stands still.
 *
 * @example Send JSON, and get some
 * ```ts
 * import { HttpSession } from "@ilmek/async/http-session";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = new HttpSession({
 *   baseUrl: "https://example.com/api",
 *   fetch: async (request) =>
 *     Response.json({ url: request.url, got: await request.json() }),
 * });
 * const response = await session.post("/users", { json: { name: "ada" } });
 *
 * assertEquals(await response.json(), {
 *   url: "https://example.com/api/users",
 *   got: { name: "ada" },
 * });
 * ```
 */
export class HttpSession implements AsyncDisposable {
  readonly #baseUrl: URL | undefined;
  readonly #headers: Headers;
  readonly #limitMs: number;
  readonly #idleMs: number;
  readonly #maxBodyBytes: number;
  readonly #throwOnError: boolean;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #policies: HttpPolicies;
  readonly #authorization: HttpAuthorization | undefined;
  readonly #exchanges = new Set<HttpExchange>();
  readonly #guardedCalls = new Set<Guarded>();
  #closed = false;

  /** Creates a session. */
  constructor(options: HttpSessionOptions = {}) {
    const { baseUrl, headers, timeoutMs = 30_000 } = options;
    const { idleTimeoutMs = 30_000 } = options;
    const { maxBodyBytes = 64 * 1024 * 1024, throwOnError = false } = options;
    const { fetch = globalThis.fetch } = options;
    checkFunction(fetch, "create a session", "fetch");
    this.#baseUrl = baseUrl === undefined ? undefined : parseBase(baseUrl);
    this.#headers = new Headers(headers);
    this.#limitMs = toLimitMs(timeoutMs, "create a session", "timeoutMs");
    this.#idleMs = toLimitMs(
      idleTimeoutMs,
      "create a session",
      "idleTimeoutMs",
    );
    this.#maxBodyBytes = checkCount(
      maxBodyBytes,
      "create a session",
      "maxBodyBytes",
      0,
    );
    this.#throwOnError = throwOnError;
    this.#fetch = fetch;
    const { policy, perHost, maxHosts = 1000, authorize } = options;
    this.#authorization = authorize === undefined
      ? undefined
      : new HttpAuthorization(authorize);
    this.#policies = new HttpPolicies({ policy, perHost, maxHosts });
  }

  /** Whether the session was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many requests are under way: not answered, or with a body not read. */
  get inFlight(): number {
    return this.#exchanges.size;
  }

  /**
   * Requests with the method GET; see `request`.
   *
   * @param path The path below `baseUrl`, or a URL.
   * @param options Additional options.
   * @returns The response, whose body is to be read or dropped.
   */
  get(
    path: string | URL,
    options: HttpRequestOptions = {},
  ): Promise<HttpResponse> {
    return this.request(path, { ...options, method: "GET" });
  }

  /**
   * Requests with the method POST; see `request`.
   *
   * @param path The path below `baseUrl`, or a URL.
   * @param options Additional options.
   * @returns The response, whose body is to be read or dropped.
   */
  post(
    path: string | URL,
    options: HttpRequestOptions = {},
  ): Promise<HttpResponse> {
    return this.request(path, { ...options, method: "POST" });
  }

  /**
   * Requests with the method PUT; see `request`.
   *
   * @param path The path below `baseUrl`, or a URL.
   * @param options Additional options.
   * @returns The response, whose body is to be read or dropped.
   */
  put(
    path: string | URL,
    options: HttpRequestOptions = {},
  ): Promise<HttpResponse> {
    return this.request(path, { ...options, method: "PUT" });
  }

  /**
   * Requests with the method DELETE; see `request`.
   *
   * @param path The path below `baseUrl`, or a URL.
   * @param options Additional options.
   * @returns The response, whose body is to be read or dropped.
   */
  delete(
    path: string | URL,
    options: HttpRequestOptions = {},
  ): Promise<HttpResponse> {
    return this.request(path, { ...options, method: "DELETE" });
  }

  /**
   * Sends a request, and waits for the head of the response.
   *
   * A status such as 404 is a response like any other, unless `throwOnError` is
   * set.
   *
   * @param path The path below `baseUrl`, or a URL; with a `baseUrl` it must have
   * the same origin, so that the headers of the session go nowhere else.
   * @param options Additional options.
   * @returns The response, whose body is to be read or dropped.
   * @throws {TypeError} If the URL or an option is wrong.
   * @throws {NetworkError} If there is no connection, or it breaks.
   * @throws {HttpStatusError} If `throwOnError` is set, and the status is bad.
   * @throws {TimeoutError} If it takes too long.
   * @throws {SessionClosedError} If the session is closed, also while it waits.
   * @throws {RequestNotReplayableError} If a policy wants another attempt that must
   * not be made.
   * @throws {PolicyError} If a policy refuses the request.
   * @throws {CancelledError} If the ambient scope is cancelled.
   * @throws The reason of `options.signal`, if it aborts before.
   */
  async request(
    path: string | URL,
    options: HttpSessionRequestOptions = {},
  ): Promise<HttpResponse> {
    const { timeoutMs, idleTimeoutMs, signal } = options;
    const { throwOnError = this.#throwOnError } = options;
    const limitMs = timeoutMs === undefined
      ? this.#limitMs
      : toLimitMs(timeoutMs, "send a request", "timeoutMs");
    const idleMs = idleTimeoutMs === undefined
      ? this.#idleMs
      : toLimitMs(idleTimeoutMs, "send a request", "idleTimeoutMs");
    const { url, init } = this.#prepare(path, options);
    const name = `${init.method} ${url.origin}${url.pathname}`;
    throwIfCancelled();
    signal?.throwIfAborted();
    if (this.#closed) throw new SessionClosedError(closedMessage(name));
    // A body that is read after all attempts ends with the caller's own scope.
    const signals = signal ? [currentSignal(), signal] : [currentSignal()];
    const send = async (): Promise<HttpResponse> => {
      if (this.#closed) throw new SessionClosedError(closedMessage(name));
      throwIfCancelled();
      const exchange = new HttpExchange(name, {
        limitMs,
        idleMs,
        signals: [...new Set([...signals, currentSignal()])],
        onEnd: () => this.#exchanges.delete(exchange),
      });
      this.#exchanges.add(exchange);
      return await this.#send(exchange, url, init);
    };
    const response = this.#policies.any
      ? await this.#guarded(name, url.origin, { init, signal }, send)
      : await send();
    if (throwOnError && !response.ok) throw await statusErrorOf(response, name);
    return response;
  }

  /** Sends a request under the policies, as often as they want. */
  async #guarded(
    name: string,
    origin: string,
    request: { init: HttpInit; signal: AbortSignal | undefined },
    send: () => Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    const { init, signal } = request;
    const replay = new Replay(name, init);
    const attempt = async (): Promise<HttpResponse> => {
      const response = await send();
      if (!isRetriableStatus(response.status)) return response;
      // The body is dropped before anybody waits for another attempt.
      throw await statusErrorOf(response, name);
    };
    // It ends waits within the policies, too: those between two attempts.
    const guard: Guarded = { name, ender: new AbortController() };
    const { ender } = guard;
    const unlisten = signal && listen(signal, (reason) => ender.abort(reason));
    this.#guardedCalls.add(guard);
    try {
      return await this.#policies.run(
        origin,
        () => replay.attempt(attempt),
        { signal: ender.signal },
      );
    } finally {
      unlisten?.();
      this.#guardedCalls.delete(guard);
    }
  }

  /**
   * Closes the session: requests that are under way are aborted, and their bodies
   * dropped. Closing twice does nothing.
   */
  close(): void {
    this.#closed = true;
    for (const { name, ender } of [...this.#guardedCalls]) {
      ender.abort(new SessionClosedError(closedMessage(name)));
    }
    for (const exchange of [...this.#exchanges]) {
      exchange.abort(new SessionClosedError(closedMessage(exchange.request)));
    }
  }

  /** Closes the session. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #send(
    exchange: HttpExchange,
    url: URL,
    init: HttpInit,
  ): Promise<HttpResponse> {
    const { signal } = exchange;
    const authorization = this.#authorization;
    let credentials: Headers | undefined;
    const resend = (extra: Record<string, string>): Promise<Response> => {
      const request = new Request(url, { ...init, signal });
      for (const [name, value] of credentials ?? []) {
        request.headers.set(name, value);
      }
      for (const [name, value] of Object.entries(extra)) {
        request.headers.set(name, value);
      }
      return this.#sent(request, exchange);
    };
    let native: Response;
    try {
      credentials = await authorization?.headers(undefined, exchange);
      native = await exchange.wait(resend({}));
      const isRefused = native.status === 401 && credentials !== undefined;
      if (isRefused && !(init.body instanceof ReadableStream)) {
        native.body?.cancel().catch(() => {});
        credentials = await authorization?.headers(credentials, exchange);
        native = await exchange.wait(resend({}));
      }
    } catch (error) {
      exchange.abort(error);
      throw error;
    }
    return new HttpResponse(native, exchange, {
      maxBodyBytes: this.#maxBodyBytes,
      request: { method: init.method, resend },
    });
  }

  async #sent(request: Request, exchange: HttpExchange): Promise<Response> {
    const { signal } = exchange;
    let response: Response;
    try {
      response = await this.#fetch(request);
    } catch (error) {
      throw signal.aborted ? error : networkErrorOf(exchange.request, error);
    }
    // Nobody waits any more, and `fetch` did not take notice of the signal.
    if (signal.aborted) response.body?.cancel().catch(() => {});
    return response;
  }

  #prepare(
    path: string | URL,
    options: HttpSessionRequestOptions,
  ): { url: URL; init: HttpInit } {
    const { idempotencyKey } = options;
    const { query = {}, headers, body, json } = options;
    const method = (options.method ?? "GET").toUpperCase();
    if (body !== undefined && json !== undefined) {
      throw new TypeError(
        'Cannot send a request as there must be one of "body" and "json": both are there',
      );
    }
    const url = urlBelow(this.#baseUrl, path);
    addQuery(url, query);
    const merged = new Headers(this.#headers);
    for (const [name, value] of new Headers(headers)) merged.set(name, value);
    if (json !== undefined && !merged.has("content-type")) {
      merged.set("content-type", "application/json");
    }
    const needsKey = idempotencyKey === undefined && this.#policies.any &&
      (method === "POST" || method === "PATCH");
    const key = needsKey ? crypto.randomUUID() : idempotencyKey;
    if (typeof key === "string" && !merged.has("idempotency-key")) {
      merged.set("idempotency-key", key);
    }
    const content = json === undefined ? body : JSON.stringify(json);
    return {
      url,
      init: {
        method,
        headers: merged,
        ...(content === undefined ? {} : { body: content }),
      },
    };
  }
}

/** A request that may wait within policies, and what ends it there. */
interface Guarded {
  readonly name: string;
  readonly ender: AbortController;
}

/** What a request is made of. */
interface HttpInit {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: BodyInit;
}

function closedMessage(request: string): string {
  return `Cannot finish ${request}: the session was closed`;
}
