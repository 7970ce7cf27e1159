/**
 * Records and pages of an API, one after another, as something to iterate over.
 *
 * It needs the permission `net` for the server.
 *
 * ```ts ignore
 * import { DataFetcher } from "@ilmek/async/data-fetcher";
 *
 * await using posts = new DataFetcher<Post>("https://example.com/posts", {
 *   firstId: 1,
 *   lastId: 3,
 * });
 * for await (const post of posts) console.log(post.title);
 * ```
 *
 * @module
 */
import { checkFunction, show } from "../_internal/check.ts";
import { InvalidStateError } from "../primitives/errors.ts";
import {
  type HttpRequestOptions,
  type HttpResponse,
  HttpSession,
} from "./http_session.ts";

/** Options of {@linkcode DataFetcher}. */
export interface DataFetcherOptions {
  /** The number of the first record. */
  firstId: number;
  /** The number of the last record, which is fetched, too. */
  lastId: number;
  /**
   * What fetches. It stays open when the fetcher is closed.
   *
   * @default {a session of its own}
   */
  session?: HttpSession;
}

/**
 * Fetches the records of an API by their numbers.
 *
 * Each call of `next` takes a number of its own at once, so that calls side by side
 * fetch different records. A number whose request has failed, or was cancelled, is
 * the first to be fetched by the call after that: nothing is left out. To leave a
 * loop closes the fetcher.
 *
 * @typeParam T What the records are taken for. It is not checked.
 *
 * @example Fetch two records
 * ```ts
 * import { DataFetcher } from "@ilmek/async/data-fetcher";
 * import { HttpSession } from "@ilmek/async/http-session";
 * import { assertEquals } from "@std/assert";
 *
 * await using session = new HttpSession({
 *   fetch: ({ url }) => Promise.resolve(Response.json({ url })),
 * });
 * await using posts = new DataFetcher<{ url: string }>("http://test/posts", {
 *   firstId: 1,
 *   lastId: 2,
 *   session,
 * });
 * const urls = [];
 * for await (const { url } of posts) urls.push(url);
 *
 * assertEquals(urls, ["http://test/posts/1", "http://test/posts/2"]);
 * ```
 */
export class DataFetcher<T = unknown>
  implements AsyncIterableIterator<T, void, void>, AsyncDisposable {
  readonly #baseUrl: string;
  readonly #lastId: number;
  readonly #session: HttpSession;
  readonly #ownsSession: boolean;
  /** The next number that was never tried. */
  #nextId: number;
  /** Numbers that were tried in vain, the smallest first. */
  #failedIds: number[] = [];
  #closed = false;

  /**
   * Creates a fetcher.
   *
   * @param baseUrl The URL of the records, without their number.
   * @param options Which records, and by what they are fetched.
   * @throws {TypeError} If it is no URL of HTTP.
   * @throws {RangeError} If a number is no integer.
   */
  constructor(baseUrl: string | URL, options: DataFetcherOptions) {
    const { firstId, lastId, session } = options;
    checkId(firstId, "firstId");
    checkId(lastId, "lastId");
    const url = URL.parse(String(baseUrl));
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new TypeError(
        `Cannot create a fetcher as "baseUrl" must be a URL of HTTP: current value is ${
          show(String(baseUrl))
        }`,
      );
    }
    this.#baseUrl = String(baseUrl).replace(/\/+$/, "");
    this.#nextId = firstId;
    this.#lastId = lastId;
    this.#session = session ?? new HttpSession();
    this.#ownsSession = session === undefined;
  }

  /** Whether the fetcher was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Fetches the next record.
   *
   * @returns The record, or that there is none any more.
   * @throws {HttpStatusError} If the status is not from 200 to 299.
   * @throws {JsonError} If the body is not JSON.
   * @throws {NetworkError} If there is no connection, or it breaks.
   * @throws {TimeoutError} If it takes too long.
   * @throws {InvalidStateError} If the fetcher is closed, and not at its end.
   * @throws {CancelledError} If the ambient scope is cancelled.
   */
  async next(): Promise<IteratorResult<T, void>> {
    const id = this.#failedIds[0] ?? this.#nextId;
    if (id > this.#lastId) return { done: true, value: undefined };
    if (this.#closed) {
      throw new InvalidStateError(
        `Cannot fetch ${this.#baseUrl}/${id}: the fetcher was closed`,
      );
    }
    if (this.#failedIds.length > 0) this.#failedIds.shift();
    else this.#nextId++;
    try {
      const response = await this.#session.get(`${this.#baseUrl}/${id}`, {
        throwOnError: true,
      });
      return { done: false, value: await response.json<T>() };
    } catch (error) {
      this.#failedIds.push(id);
      this.#failedIds.sort((a, b) => a - b);
      throw error;
    }
  }

  /** Closes the fetcher: what a loop does that is left early. */
  return(): Promise<IteratorResult<T, void>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Gives itself: the records are fetched once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * Closes the fetcher, and its session, if that is its own: requests that are under
   * way are aborted. Closing twice does nothing.
   */
  close(): void {
    this.#closed = true;
    if (this.#ownsSession) this.#session.close();
  }

  /** Closes the fetcher. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/**
 * Options of {@linkcode fetchPages}.
 *
 * @typeParam T What the pages are taken for.
 */
export interface FetchPagesOptions<T> extends HttpRequestOptions {
  /**
   * Tells where the page after this one is; `undefined` after the last.
   *
   * @default {the header "Link" with rel="next"}
   */
  nextOf?: (page: T, response: HttpResponse) => string | URL | undefined;
}

/**
 * Fetches the pages of a list in JSON, each when it is asked for.
 *
 * @typeParam T What the pages are taken for. It is not checked.
 * @param session What fetches.
 * @param path The first page.
 * @param options Additional options, for all of the requests.
 * @returns The pages.
 * @throws {TypeError} If `nextOf` is not a function.
 * @throws {HttpStatusError} If the status is not from 200 to 299.
 * @throws {JsonError} If a body is not JSON.
 * @throws What else requests throw.
 *
 * @example Follow a cursor
 * ```ts
 * import { fetchPages } from "@ilmek/async/data-fetcher";
 * import { HttpSession } from "@ilmek/async/http-session";
 * import { assertEquals } from "@std/assert";
 *
 * const pages = [{ items: [1, 2], next: "/1" }, { items: [3] }];
 * await using session = new HttpSession({
 *   baseUrl: "http://test",
 *   fetch: ({ url }) =>
 *     Promise.resolve(Response.json(pages[Number(url.at(-1))])),
 * });
 * const all = [];
 * for await (
 *   const { items } of fetchPages<typeof pages[0]>(session, "/0", {
 *     nextOf: ({ next }) => next,
 *   })
 * ) all.push(...items);
 *
 * assertEquals(all, [1, 2, 3]);
 * ```
 */
export async function* fetchPages<T = unknown>(
  session: HttpSession,
  path: string | URL,
  options: FetchPagesOptions<T> = {},
): AsyncGenerator<T, void, void> {
  const { nextOf = linkOf, query, ...rest } = options;
  checkFunction(nextOf, "fetch pages", "nextOf");
  let request: HttpRequestOptions = query === undefined
    ? rest
    : { ...rest, query };
  let next: string | URL | undefined = path;
  while (next !== undefined) {
    const response: HttpResponse = await session.get(next, {
      ...request,
      throwOnError: true,
    });
    const page: T = await response.json<T>();
    yield page;
    next = nextOf(page, response);
    // What leads to the next page has its parameters with it.
    request = rest;
  }
}

const NEXT_LINK_REGEXP = /<([^>]*)>\s*;[^,]*\brel="?next\b/;

function linkOf(_page: unknown, response: HttpResponse): URL | undefined {
  const [, target] =
    NEXT_LINK_REGEXP.exec(response.headers.get("link") ?? "") ?? [];
  if (target === undefined) return undefined;
  return URL.parse(target, response.url || undefined) ?? undefined;
}

function checkId(id: number, name: string): void {
  if (Number.isSafeInteger(id)) return;
  throw new RangeError(
    `Cannot create a fetcher as "${name}" must be an integer: current value is ${
      show(id)
    }`,
  );
}
