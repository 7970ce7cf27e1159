import { retryAfterOfHeaders } from "../_internal/retry_after.ts";
import { InvalidStateError } from "../primitives/errors.ts";

/** What is known of a response whose status says that the request has failed. */
export interface HttpStatusErrorOptions {
  /** The request, such as `GET https://example.com/users`. */
  request: string;
  /** The status. */
  status: number;
  /** The headers of the response. */
  headers: Headers;
  /** The beginning of the body. */
  bodySnippet: string;
}

/** Thrown for a response with a status that says that the request has failed. */
export class HttpStatusError extends Error {
  static {
    this.prototype.name = "HttpStatusError";
  }
  /** The status. */
  readonly status: number;
  /** The headers of the response. */
  readonly headers: Headers;
  /** The beginning of the body, at most 1024 bytes. */
  readonly bodySnippet: string;
  /**
   * After how many milliseconds the server wants to be asked again, if it says so
   * by the header `Retry-After`. A date counts from the server's own clock.
   */
  readonly retryAfterMs: number | undefined;

  /** Creates the error of a response. */
  constructor(options: HttpStatusErrorOptions) {
    const { request, status, headers, bodySnippet } = options;
    super(`Cannot use the response to ${request}: its status is ${status}`);
    this.status = status;
    this.headers = headers;
    this.bodySnippet = bodySnippet;
    this.retryAfterMs = retryAfterOfHeaders(headers);
  }
}

/**
 * Whether a request that has failed may have had an effect: `no` if there was no
 * connection, `yes` if its response had begun.
 */
export type RequestSent = "no" | "maybe" | "yes";

/** Thrown if the network fails under a request, or under the body of a response. */
export class NetworkError extends TypeError {
  static {
    this.prototype.name = "NetworkError";
  }
  /** Whether the request may have had an effect. */
  readonly sent: RequestSent;

  /** Creates the error; `options.cause` is what the platform has thrown. */
  constructor(message: string, options: ErrorOptions & { sent: RequestSent }) {
    super(message, { cause: options.cause });
    this.sent = options.sent;
  }
}

/** Thrown if the body of a response is no text in its encoding. */
export class BodyEncodingError extends TypeError {
  static {
    this.prototype.name = "BodyEncodingError";
  }
  /** The encoding, such as `utf-8`. */
  readonly encoding: string;

  /** Creates the error of a request; `options.cause` is that of the decoder. */
  constructor(request: string, encoding: string, options: ErrorOptions) {
    super(
      `Cannot read the response to ${request}: it is no text in ${encoding}`,
      options,
    );
    this.encoding = encoding;
  }
}

/** Thrown if the body of a response is larger than the session allows. */
export class BodyTooLargeError extends RangeError {
  static {
    this.prototype.name = "BodyTooLargeError";
  }
  /** How many bytes the session allows. */
  readonly maxBodyBytes: number;

  /** Creates the error of a request, such as `GET https://example.com/users`. */
  constructor(request: string, maxBodyBytes: number) {
    super(
      `Cannot read the response to ${request}: it has more than ${maxBodyBytes} bytes`,
    );
    this.maxBodyBytes = maxBodyBytes;
  }
}

/** Thrown if the body of a response is not JSON. */
export class JsonError extends SyntaxError {
  static {
    this.prototype.name = "JsonError";
  }
  /** The beginning of the body, at most 1024 characters. */
  readonly bodySnippet: string;

  /** Creates the error; `options.cause` is what the parser has thrown. */
  constructor(
    request: string,
    options: ErrorOptions & { bodySnippet: string },
  ) {
    super(`Cannot parse the response to ${request}: it is not JSON`, {
      cause: options.cause,
    });
    this.bodySnippet = options.bodySnippet;
  }
}

/** Thrown where a session is used that was closed. */
export class SessionClosedError extends InvalidStateError {
  static {
    this.prototype.name = "SessionClosedError";
  }
}

/** Says what the platform means that fetches, as far as it can be told. */
export function networkErrorOf(
  request: string,
  error: unknown,
  sent?: RequestSent,
): unknown {
  if (!(error instanceof TypeError)) return error;
  const { cause, message } = error;
  const detail = cause instanceof Error ? cause.message : message;
  return new NetworkError(`Cannot finish ${request}: ${detail}`, {
    cause: error,
    sent: sent ?? (hasConnected(error) ? "maybe" : "no"),
  });
}

/** The platform tells of it in words only. */
function hasConnected({ cause, message }: TypeError): boolean {
  if (!(cause instanceof Error)) return !message.startsWith("Fetch failed:");
  return !cause.message.includes("client error (Connect)");
}
