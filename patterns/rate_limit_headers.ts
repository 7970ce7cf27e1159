/**
 * The HTTP headers of rate limits, both ways: "RateLimit", "RateLimit-Policy" and
 * "Retry-After".
 *
 * ```ts
 * import { formatRateLimitHeaders } from "@ilmek/async/rate-limit-headers";
 * import { RateLimiter } from "@ilmek/async/rate-limiter";
 *
 * const limiter = new RateLimiter({ limit: 100, perMs: 60_000 });
 * const result = limiter.tryTake();
 * const response = new Response(null, {
 *   status: result.ok ? 200 : 429,
 *   headers: formatRateLimitHeaders(result),
 * });
 * console.log(response.headers.get("RateLimit"));
 * ```
 *
 * @module
 */
import {
  type HeaderSource,
  parseAmount,
  parseHttpDate,
  retryAfterOfHeaders,
  secondsToMs,
} from "../_internal/retry_after.ts";
import { parseItems, quoteString, type SfItem } from "./_structured_fields.ts";
import type { RateLimitResult } from "./rate_step.ts";

export type { HeaderSource as RateLimitHeaderSource } from "../_internal/retry_after.ts";
export type { RateLimitResult } from "./rate_step.ts";

/** What a limiter looks at in a response. */
export interface RateLimitResponse {
  /** The status of HTTP. */
  readonly status: number;
  /** The headers. */
  readonly headers: HeaderSource;
}

/** Options of {@linkcode formatRateLimitHeaders}. */
export interface FormatRateLimitHeadersOptions {
  /**
   * How the headers call the limit.
   *
   * @default {"default"}
   */
  policy?: string;
}

/** One limit, as a server has told it. */
export interface ParsedRateLimit {
  /** How the server calls it. */
  readonly policy: string;
  /** How much is left. */
  readonly remaining: number | undefined;
  /** After how many milliseconds it is there again. */
  readonly resetAfterMs: number | undefined;
  /** How much is allowed in each window. */
  readonly quota: number | undefined;
  /** The length of a window, in milliseconds. */
  readonly windowMs: number | undefined;
}

/** What a server has told about its limits. */
export interface ParsedRateLimitHeaders {
  /**
   * After how many milliseconds to ask again: by "Retry-After", else since nothing
   * is left of a limit. `undefined` if nothing says that one must wait.
   */
  readonly retryAfterMs: number | undefined;
  /** The limits. */
  readonly limits: readonly ParsedRateLimit[];
}

/**
 * Makes the headers that tell a client of its limit.
 *
 * They follow draft-ietf-httpapi-ratelimit-headers, which counts in whole seconds:
 * times are rounded up. "Retry-After" comes only with a refusal.
 *
 * @param result What the limiter has said.
 * @param options Additional options.
 * @returns The headers, by name.
 *
 * @example Tell a client that it has to wait
 * ```ts
 * import { formatRateLimitHeaders } from "@ilmek/async/rate-limit-headers";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = formatRateLimitHeaders({
 *   ok: false,
 *   remaining: 0,
 *   limit: 100,
 *   perMs: 60_000,
 *   retryAfterMs: 1500,
 *   resetAfterMs: 42_000,
 * });
 *
 * assertEquals(headers, {
 *   "RateLimit-Policy": '"default";q=100;w=60',
 *   "RateLimit": '"default";r=0;t=2',
 *   "Retry-After": "2",
 * });
 * ```
 */
export function formatRateLimitHeaders(
  result: RateLimitResult,
  options: FormatRateLimitHeadersOptions = {},
): Record<string, string> {
  const { policy = "default" } = options;
  const { ok, remaining, limit, perMs, retryAfterMs, resetAfterMs } = result;
  const name = quoteString(policy);
  // A window is told in whole seconds, the quota with it.
  const window = Math.max(1, Math.ceil(perMs / 1000));
  const quota = Math.max(1, Math.floor(limit * window * 1000 / perMs));
  const untilMs = remaining > 0 ? resetAfterMs : Math.max(
    retryAfterMs,
    ok ? resetAfterMs : 0,
  );
  const until = Number.isFinite(untilMs) ? `;t=${toSeconds(untilMs)}` : "";
  const headers: Record<string, string> = {
    "RateLimit-Policy": `${name};q=${quota};w=${window}`,
    "RateLimit": `${name};r=${Math.max(0, remaining)}${until}`,
  };
  if (!ok && Number.isFinite(retryAfterMs)) {
    headers["Retry-After"] = String(Math.max(1, toSeconds(retryAfterMs)));
  }
  return headers;
}

/**
 * Reads what a server tells about its limits.
 *
 * It understands "RateLimit" and "RateLimit-Policy" of the present draft, the three
 * headers of its older versions, the "X-RateLimit" ones that many services send, and
 * "Retry-After" in seconds or as a date; dates are compared with the "Date" header of
 * the same response, so that no clock of ours matters. What it does not understand
 * it leaves out: it never throws.
 *
 * @param headers The headers of a response.
 * @returns What they say.
 *
 * @example Read both kinds of limits
 * ```ts
 * import { parseRateLimitHeaders } from "@ilmek/async/rate-limit-headers";
 * import { assertEquals } from "@std/assert";
 *
 * const { retryAfterMs, limits } = parseRateLimitHeaders(
 *   new Headers({
 *     "RateLimit-Policy": '"burst";q=10;w=1, "daily";q=1000;w=86400',
 *     "RateLimit": '"daily";r=0;t=3600',
 *   }),
 * );
 *
 * assertEquals(retryAfterMs, 3_600_000);
 * assertEquals(limits.map(({ policy }) => policy), ["burst", "daily"]);
 * ```
 */
export function parseRateLimitHeaders(
  headers: HeaderSource,
): ParsedRateLimitHeaders {
  const limits = limitsOf(headers);
  const told = retryAfterOfHeaders(headers);
  const empty = limits.flatMap(({ remaining, resetAfterMs }) =>
    remaining === 0 && resetAfterMs !== undefined ? [resetAfterMs] : []
  );
  const retryAfterMs = told ??
    (empty.length > 0 ? Math.max(...empty) : undefined);
  return { retryAfterMs, limits };
}

function limitsOf(headers: HeaderSource): ParsedRateLimit[] {
  const policies = parseItems(headers.get("RateLimit-Policy") ?? "");
  const states = parseItems(headers.get("RateLimit") ?? "");
  const isPresent = states.some(({ params }) => params.has("r")) ||
    policies.some(({ params }) => params.has("q"));
  if (!isPresent) return olderLimitsOf(headers);
  const names = new Set([...policies, ...states].map(({ value }) => value));
  return [...names].map((policy) => {
    const ofPolicy = ({ value }: SfItem) => value === policy;
    const { params: quota } = policies.find(ofPolicy) ?? NO_ITEM;
    const { params: state } = states.find(ofPolicy) ?? NO_ITEM;
    return {
      policy,
      remaining: parseAmount(state.get("r") ?? ""),
      resetAfterMs: secondsToMs(state.get("t") ?? ""),
      quota: parseAmount(quota.get("q") ?? ""),
      windowMs: secondsToMs(quota.get("w") ?? ""),
    };
  });
}

const NO_ITEM: SfItem = { value: "", params: new Map() };

/** "RateLimit-Limit", "-Remaining", "-Reset", and the same with "X-" before it. */
function olderLimitsOf(headers: HeaderSource): ParsedRateLimit[] {
  for (const prefix of ["RateLimit-", "X-RateLimit-", "X-Rate-Limit-"]) {
    const quota = parseAmount(
      headers.get(`${prefix}Limit`)?.split(",")[0] ?? "",
    );
    const remaining = parseAmount(headers.get(`${prefix}Remaining`) ?? "");
    if (remaining === undefined) continue;
    const resetAfterMs = resetOf(headers, `${prefix}Reset`);
    return [{
      policy: "default",
      remaining,
      resetAfterMs,
      quota,
      windowMs: undefined,
    }];
  }
  return [];
}

/** What is larger is no number of seconds to wait, but a moment since 1970. */
const MAX_DELTA_S = 1e8;

function resetOf(
  headers: HeaderSource,
  name: string,
): number | undefined {
  const ms = secondsToMs(headers.get(name) ?? "");
  if (ms === undefined || ms <= MAX_DELTA_S * 1000) return ms;
  const date = parseHttpDate(headers.get("Date") ?? "");
  return date === undefined ? undefined : Math.max(0, ms - date);
}

function toSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
