import { InvalidStateError } from "../_internal/errors.ts";
import {
  type HeaderSource,
  retryAfterOfHeaders,
} from "../_internal/retry_after.ts";
import type { PolicyOutcome } from "./policy.ts";

/** How the engines say that a request has not come through. */
const NETWORK_REGEXP =
  /^(error sending request|error reading a body|fetch failed|failed to fetch|load failed|network ?error|network request failed|terminated|connection|client error)/i;

/** What a `TypeError` says that comes from the network, and not from a mistake. */
function isNetworkError(error: TypeError): boolean {
  return error.name === "NetworkError" || NETWORK_REGEXP.test(error.message);
}

/** Whether it makes sense to try again what has failed with `error`. */
export function isRetriableByDefault(error: unknown): boolean {
  if (error instanceof TypeError) return isNetworkError(error);
  // What is closed or broken stays so.
  return !(error instanceof ReferenceError ||
    error instanceof InvalidStateError);
}

/** The response that an error brings with it. */
export function responseOf(error: unknown): Response | undefined {
  if (!(error instanceof Error) || !("response" in error)) return undefined;
  return error.response instanceof Response ? error.response : undefined;
}

/** What can carry a hint: a response. */
interface WithHeaders {
  readonly headers: HeaderSource;
}

/**
 * What a refusal, an error with a response, or a response says of when to try
 * again, in milliseconds.
 */
export function retryAfterOf(outcome: PolicyOutcome): number | undefined {
  const told = outcome.ok ? outcome.value : outcome.error;
  if (typeof told !== "object" || told === null) return undefined;
  if ("retryAfterMs" in told && typeof told.retryAfterMs === "number") {
    return told.retryAfterMs >= 0 ? told.retryAfterMs : undefined;
  }
  const response = "response" in told ? told.response : told;
  return hasHeaders(response)
    ? retryAfterOfHeaders(response.headers)
    : undefined;
}

function hasHeaders(value: unknown): value is WithHeaders {
  if (typeof value !== "object" || value === null) return false;
  if (!("headers" in value)) return false;
  const { headers } = value;
  return typeof headers === "object" && headers !== null && "get" in headers &&
    typeof headers.get === "function";
}
