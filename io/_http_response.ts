import { checkCount, checkFunction } from "../_internal/check.ts";
import { InvalidStateError } from "../primitives/errors.ts";
import { joinBytes } from "./_byte_source.ts";
import {
  BodyEncodingError,
  BodyTooLargeError,
  HttpStatusError,
  JsonError,
  NetworkError,
  networkErrorOf,
} from "./_http_errors.ts";
import type { HttpExchange } from "./_http_exchange.ts";
import { Resumption } from "./_http_resume.ts";

/** How far the reading of a body has come. */
export interface HttpProgress {
  /** How many bytes have come. */
  readonly receivedBytes: number;
  /** How many there will be, where the server says so. */
  readonly totalBytes: number | undefined;
}

/** Options of {@linkcode HttpResponse.chunks}. */
export interface HttpChunksOptions {
  /**
   * How many bytes may come.
   *
   * @default {Infinity}
   */
  maxBytes?: number;
  /**
   * How often a body that breaks off is continued by a request for the rest, after
   * a pause. That is done only for GET, and only if the server accepts ranges and
   * says by a strong `ETag` that nothing has changed.
   *
   * @default {0}
   */
  maxResumes?: number;
  /** Called for each piece, before it is given. */
  onProgress?: (progress: HttpProgress) => void;
}

/** The request of a response. */
export interface ResendableRequest {
  readonly method: string;
  /** Sends it again, with these headers besides its own. */
  readonly resend: (headers: Record<string, string>) => Promise<Response>;
}

/** How much of a body an error shows. */
const SNIPPET_LENGTH = 1024;

/**
 * The response to a request of an `HttpSession`.
 *
 * Its body is read once, by one of the methods, or dropped: by `discard`, or at the
 * end of the block if the response was declared with `using`. An unread body is
 * dropped when the time of its request is over. Reading is a wait.
 *
 * @example Look at the status, and drop the body
 * ```ts
 * import { HttpSession } from "@ilmek/async/http-session";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = new HttpSession({
 *   baseUrl: "https://example.com",
 *   fetch: () => Promise.resolve(new Response("gone", { status: 410 })),
 * });
 * using response = await session.get("/");
 *
 * assertEquals(response.status, 410);
 * ```
 */
export class HttpResponse implements Disposable, AsyncDisposable {
  readonly #native: Response;
  readonly #exchange: HttpExchange;
  readonly #maxBodyBytes: number;
  readonly #request: ResendableRequest;
  #stream: ReadableStream<Uint8Array> | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isTaken = false;

  /**
   * Responses come from an `HttpSession`.
   *
   * @internal
   */
  constructor(
    native: Response,
    exchange: HttpExchange,
    options: { maxBodyBytes: number; request: ResendableRequest },
  ) {
    this.#native = native;
    this.#exchange = exchange;
    this.#maxBodyBytes = options.maxBodyBytes;
    this.#request = options.request;
    if (native.body === null) exchange.end();
  }

  /** The status, such as 200. */
  get status(): number {
    return this.#native.status;
  }

  /** The words beside the status. */
  get statusText(): string {
    return this.#native.statusText;
  }

  /** Whether the status is from 200 to 299. */
  get ok(): boolean {
    return this.#native.ok;
  }

  /** The headers. */
  get headers(): Headers {
    return this.#native.headers;
  }

  /** Where the response came from, after all redirections. */
  get url(): string {
    return this.#native.url;
  }

  /** Whether the body was read or dropped, or somebody has begun to. */
  get bodyUsed(): boolean {
    return this.#isTaken;
  }

  /**
   * The body as a stream of the platform; `null` if there is none.
   *
   * It has no limit of size. To read from it is no wait: it ends with the scope in
   * which the request was made, and with the time of the request. `chunks` is a
   * wait.
   */
  get body(): ReadableStream<Uint8Array> | null {
    if (this.#stream !== undefined) return this.#stream;
    if (this.#native.body === null) return null;
    const next = this.#take(this.#native.body);
    return this.#stream = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunk = await next().catch((error) => {
          this.#exchange.end();
          throw error;
        });
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => this.discard(),
    }, { highWaterMark: 0 });
  }

  /**
   * Reads the body as it comes. To leave the loop drops the rest.
   *
   * @param options Additional options.
   * @returns The pieces.
   * @throws {BodyTooLargeError} If there are more bytes than `options.maxBytes`.
   * @throws {NetworkError} If the connection breaks.
   * @throws {TimeoutError} If the time of the request is over.
   * @throws {InvalidStateError} If the body was read or dropped.
   */
  async *chunks(
    options: HttpChunksOptions = {},
  ): AsyncGenerator<Uint8Array, void, void> {
    const { maxBytes = Infinity, maxResumes = 0, onProgress } = options;
    checkCount(maxBytes, "read a body", "maxBytes", 0);
    checkCount(maxResumes, "read a body", "maxResumes", 0);
    if (onProgress !== undefined) {
      checkFunction(onProgress, "read a body", "onProgress");
    }
    if (this.#native.body === null) return;
    const exchange = this.#exchange;
    const totalBytes = this.#announcedBytes();
    let next = this.#take(this.#native.body);
    const resumption = new Resumption(this.#request.method, this.#native, {
      maxResumes,
      resend: (headers) => exchange.wait(this.#request.resend(headers)),
      signal: exchange.signal,
    });
    let receivedBytes = 0;
    try {
      for (;;) {
        let chunk: Uint8Array | undefined;
        try {
          chunk = await exchange.waitForPiece(next());
        } catch (error) {
          const rest = await resumption.bodyFrom(receivedBytes, error);
          if (rest === undefined) throw error;
          next = this.#read(rest);
          continue;
        }
        if (chunk === undefined) return;
        receivedBytes += chunk.length;
        if (Math.max(receivedBytes, totalBytes ?? 0) > maxBytes) {
          throw new BodyTooLargeError(exchange.request, maxBytes);
        }
        onProgress?.({ receivedBytes, totalBytes });
        yield chunk;
      }
    } finally {
      await this.discard();
    }
  }

  /**
   * Reads the body.
   *
   * @returns The bytes.
   * @throws {BodyTooLargeError} If there are more than the session allows.
   * @throws {NetworkError} If the connection breaks.
   * @throws {TimeoutError} If the time of the request is over.
   * @throws {InvalidStateError} If the body was read or dropped.
   */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    for await (const chunk of this.chunks({ maxBytes: this.#maxBodyBytes })) {
      parts.push(chunk);
    }
    return joinBytes(parts);
  }

  /**
   * Reads the body as text; see `bytes`.
   *
   * It is decoded as the header `Content-Type` says, else as UTF-8.
   *
   * @returns The text.
   * @throws {BodyEncodingError} If it is no text in that encoding.
   * @throws {BodyTooLargeError} If there is more than the session allows.
   * @throws {NetworkError} If the connection breaks.
   * @throws {TimeoutError} If the time of the request is over.
   * @throws {InvalidStateError} If the body was read or dropped.
   */
  async text(): Promise<string> {
    const { request } = this.#exchange;
    const bytes = await this.bytes();
    const decoder = decoderOf(this.headers.get("content-type"));
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new BodyEncodingError(request, decoder.encoding, { cause });
    }
  }

  /**
   * Reads the body as JSON; see `bytes`. The type is not checked.
   *
   * @typeParam T What the body is taken for.
   * @returns The value.
   * @throws {JsonError} If the body is not JSON.
   * @throws {BodyEncodingError} If it is no text.
   * @throws {BodyTooLargeError} If there is more than the session allows.
   * @throws {NetworkError} If the connection breaks.
   * @throws {TimeoutError} If the time of the request is over.
   * @throws {InvalidStateError} If the body was read or dropped.
   */
  async json<T = unknown>(): Promise<T> {
    const text = await this.text();
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      const bodySnippet = text.slice(0, SNIPPET_LENGTH);
      throw new JsonError(this.#exchange.request, { cause, bodySnippet });
    }
  }

  /** Drops the body, if it was not read to its end, and ends the request. */
  async discard(): Promise<void> {
    this.#isTaken = true;
    const { request } = this.#exchange;
    this.#exchange.abort(
      new InvalidStateError(
        `Cannot read the response to ${request}: it was dropped`,
      ),
    );
    const body = this.#reader ?? this.#native.body;
    await body?.cancel().catch(() => {});
  }

  /** Drops the body. */
  [Symbol.dispose](): void {
    this.discard();
  }

  /** Drops the body. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard();
  }

  /** How large the body is, where the server says so. */
  #announcedBytes(): number | undefined {
    const { headers } = this;
    const length = Number(headers.get("content-length") ?? NaN);
    return Number.isSafeInteger(length) ? length : undefined;
  }

  /** Takes the body, which can be done once, and gives what reads a piece of it. */
  #take(
    body: ReadableStream<Uint8Array>,
  ): () => Promise<Uint8Array | undefined> {
    const { request } = this.#exchange;
    if (this.#isTaken) {
      throw new InvalidStateError(
        `Cannot read the response to ${request}: it was read or dropped`,
      );
    }
    this.#isTaken = true;
    return this.#read(body);
  }

  #read(
    body: ReadableStream<Uint8Array>,
  ): () => Promise<Uint8Array | undefined> {
    const exchange = this.#exchange;
    const { request, signal } = exchange;
    const reader = this.#reader = body.getReader();
    return async () => {
      try {
        const { value } = await reader.read();
        if (value === undefined) exchange.end();
        return value;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw networkErrorOf(request, error, "yes");
      }
    };
  }
}

/** The error for a status that is not ok; it drops the rest of the body. */
export async function statusErrorOf(
  response: HttpResponse,
  request: string,
): Promise<HttpStatusError> {
  const { status, headers } = response;
  const decoder = new TextDecoder();
  let bodySnippet = "";
  try {
    for await (const chunk of response.chunks()) {
      bodySnippet += decoder.decode(chunk, { stream: true });
      if (bodySnippet.length >= SNIPPET_LENGTH) break;
    }
  } catch (error) {
    // The status says more than a body that broke off.
    if (!(error instanceof NetworkError)) throw error;
  }
  bodySnippet = bodySnippet.slice(0, SNIPPET_LENGTH);
  return new HttpStatusError({ request, status, headers, bodySnippet });
}

const CHARSET_REGEXP = /;\s*charset="?([^\s";]+)/i;

function decoderOf(contentType: string | null): TextDecoder {
  const [, charset = "utf-8"] = CHARSET_REGEXP.exec(contentType ?? "") ?? [];
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    // There is no such encoding: most likely it is the usual one.
    return new TextDecoder("utf-8", { fatal: true });
  }
}
