/**
 * The functions of the guide's example 9 that the scenarios run, as the guide has
 * them: what is wrong with them is kept.
 *
 * @module
 */
import { sleep } from "@ilmek/async/sleep";
import { Example } from "./guide.ts";
import { valueError } from "./harness.ts";

/** What `anext()` of Python throws at the end. */
export class StopAsyncIteration extends Error {
  static {
    this.prototype.name = "StopAsyncIteration";
  }
}

/** What Python throws where nothing more exact is known. */
class PythonRuntimeError extends Error {
  static {
    this.prototype.name = "RuntimeError";
  }
}

/** Python's `anext()`: an iterator that has ended throws. */
export async function anext<T>(
  iterator: AsyncIterator<T, unknown, unknown>,
): Promise<T> {
  const { done, value } = await iterator.next();
  if (done) throw new StopAsyncIteration();
  return value;
}

/** A page that was asked for. */
interface Page {
  json(): Promise<unknown>;
}

/** Whom a fetcher asks. */
export interface PageSession {
  get(url: string): Promise<Page>;
}

/** Example 9: iterators and generators. */
export class Example9 extends Example {
  async *asyncStreamProcessor(
    stream: AsyncIterator<number>,
  ): AsyncGenerator<number, void, void> {
    // The guide goes over the stream and does not close it.
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return;
      await sleep(100);
      yield value * 2;
    }
  }

  async *asyncBatchGenerator<T>(
    items: readonly T[],
    size: number,
  ): AsyncGenerator<T[], void, void> {
    if (size === 0) throw valueError("range() arg 3 must not be zero");
    for (let i = 0; size > 0 && i < items.length; i += size) {
      const batch = items.slice(i, i + size);
      await sleep(100);
      yield batch;
    }
  }
}

/** Reads a file line by line; here the file is a text. */
export class AsyncFileReader implements AsyncIterableIterator<string> {
  #left: string[] | undefined;

  enter(text: string): this {
    this.#left = text.split("\n");
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<string>> {
    const line = this.#left?.shift();
    return Promise.resolve(
      line === undefined
        ? { done: true, value: undefined }
        : { done: false, value: line.trim() },
    );
  }
}

/** Asks a server for one page after the other. */
export class AsyncDataFetcher implements AsyncIterableIterator<unknown> {
  session: PageSession | undefined = undefined;
  readonly #baseUrl: string;
  readonly #endId: number;
  #currentId: number;

  constructor(baseUrl: string, startId: number, endId: number) {
    this.#baseUrl = baseUrl;
    this.#currentId = startId;
    this.#endId = endId;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#currentId > this.#endId) return { done: true, value: undefined };
    if (this.session === undefined) {
      throw new PythonRuntimeError("Session açık değil");
    }
    const page = await this.session.get(`${this.#baseUrl}/${this.#currentId}`);
    const value = await page.json();
    this.#currentId++;
    return { done: false, value };
  }
}
