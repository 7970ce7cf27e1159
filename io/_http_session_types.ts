import type { Duration } from "../_internal/check.ts";
import type { Policy } from "../patterns/policy.ts";
import type { HttpAuthorize } from "./_http_authorization.ts";
import type { Query } from "./_http_urls.ts";

/** Options of `HttpSession`. */
export interface HttpSessionOptions {
  /**
   * Where paths begin. What it has for a path is kept: `/users` below
   * `https://example.com/api` is `https://example.com/api/users`.
   */
  baseUrl?: string | URL;
  /** The headers of all requests. */
  headers?: HeadersInit;
  /**
   * How long a request may take, with its body read; `null` for ever.
   *
   * @default {30_000}
   */
  timeoutMs?: Duration | null;
  /**
   * How long a pause within a body may be; `null` for ever.
   *
   * @default {30_000}
   */
  idleTimeoutMs?: Duration | null;
  /**
   * How many bytes of a body are read into memory.
   *
   * @default {67_108_864, which is 64 MiB}
   */
  maxBodyBytes?: number;
  /**
   * Makes requests reject with an `HttpStatusError` if the status is not
   * from 200 to 299.
   *
   * @default {false}
   */
  throwOnError?: boolean;
  /**
   * Gives headers that all requests carry, such as one with a token.
   *
   * It is called before the first request, and again when a response has the status
   * 401: once, however many requests wait for it. Each of them is then sent again,
   * once, unless its body is a stream. What it throws is thrown to those who wait.
   */
  authorize?: HttpAuthorize;
  /**
   * What guards every request, such as a `Retry`, or several policies by `compose`.
   *
   * A status of 408, 425, 429, 500, 502, 503 or 504 is a failure then, and so is an
   * error of the network; `timeoutMs` is the limit of each attempt. POST and PATCH
   * get an `Idempotency-Key` of their own, the same for all attempts.
   */
  policy?: Policy;
  /**
   * Makes the policies of one host, such as a `CircuitBreaker` and a `RateLimiter`,
   * from its origin. They stand inside of `policy`.
   */
  perHost?: (origin: string) => Policy;
  /**
   * How many hosts are kept; one whose policies are as new makes room for another.
   *
   * @default {1000}
   */
  maxHosts?: number;
  /**
   * What fetches.
   *
   * @default {globalThis.fetch}
   */
  fetch?: (request: Request) => Promise<Response>;
}

/** Options of the methods of `HttpSession`. */
export interface HttpRequestOptions {
  /** Parameters that are added to those of the path. */
  query?: Query;
  /** Headers; they win over those of the session. */
  headers?: HeadersInit;
  /** The body. */
  body?: BodyInit;
  /** The body as a value, which is sent as JSON. */
  json?: unknown;
  /** How long it may take, instead of what the session says. */
  timeoutMs?: Duration | null;
  /** How long a pause within the body may be, instead of what the session says. */
  idleTimeoutMs?: Duration | null;
  /** What to do with a bad status, instead of what the session says. */
  throwOnError?: boolean;
  /**
   * By what the server knows another attempt of the same request. `null` sends none,
   * and lets POST and PATCH be sent again only if nothing was sent.
   *
   * @default {a UUID for POST and PATCH, if the session has policies}
   */
  idempotencyKey?: string | null;
  /** Ends the request when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/** Options of `HttpSession.request`. */
export interface HttpSessionRequestOptions extends HttpRequestOptions {
  /**
   * The method, in letters of any case.
   *
   * @default {"GET"}
   */
  method?: string;
}
