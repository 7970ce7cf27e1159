/**
 * Iterators and generators: a counter, a range, the lines of a file, pages of a
 * server, a pipeline, a generator that is sent values, and batches.
 *
 * Run it: `deno run --allow-net=127.0.0.1 --allow-read=/tmp --allow-write=/tmp examples/09_async_iterators.ts`
 */
import { type AsyncIter, iter } from "@ilmek/async/async-iter";
import { InvalidStateError } from "@ilmek/async/errors";
import { openFile } from "@ilmek/async/file";
import { HttpSession } from "@ilmek/async/http-session";
import { AsyncRange, range } from "@ilmek/async/range";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { repr } from "./_python.ts";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /** Where the posts are; a server on this machine by default. */
  baseUrl?: string | undefined;
  /**
   * Where the file is written.
   *
   * @default {"/tmp/async_test.txt"}
   */
  path?: string;
}

export interface Post {
  readonly id: number;
  readonly title: string;
}

export async function* asyncCounter(
  start: number,
  end: number,
  delayMs: number = 500,
): AsyncGenerator<number, void, void> {
  for (let i = start; i < end; i++) {
    await sleep(delayMs);
    yield i;
  }
}

export async function asyncGeneratorExample(): Promise<void> {
  console.log("Async counter:");
  for await (const num of asyncCounter(1, 6, 300)) console.log(`Sayı: ${num}`);
}

/**
 * Goes over a range.
 *
 * The guide's range is its own iterator: a second loop gets nothing, and of two
 * at once one gets a number that is out of range. Here each loop counts anew.
 */
export async function asyncIteratorExample(): Promise<void> {
  console.log("Async range:");
  for await (const num of new AsyncRange(0, 10, { step: 2, everyMs: 100 })) {
    console.log(`Değer: ${num}`);
  }
}

/**
 * Gives the lines of a file, which is closed on every way out.
 *
 * The guide strips both ends of a line. Here only the end of the line is taken
 * off: a blank line is empty, and what is indented stays so.
 */
export async function* readLines(
  path: string,
): AsyncGenerator<string, void, void> {
  await using file = await openFile(path);
  yield* file;
}

export async function fileReaderExample(path: string): Promise<void> {
  try {
    {
      await using file = await openFile(path, "w");
      await iter(range(1, 6)).forEach((i) => file.write(`Line ${i}\n`));
    }

    console.log("Dosya içeriği:");
    for await (const line of readLines(path)) console.log(`  ${line}`);
  } finally {
    await Deno.remove(path);
  }
}

/**
 * Asks a server for posts, one after the other.
 *
 * The guide moves to the next post after the answer: two that ask at once get the
 * same post, and one is left out. It also takes a failure for a post. Here each
 * loop has its own place, who asks at once is served in turn, and a bad status is
 * an `HttpStatusError`.
 */
export class AsyncDataFetcher implements AsyncIterable<Post>, AsyncDisposable {
  readonly #session: HttpSession;
  readonly #ids: AsyncRange;
  #closed = false;

  constructor(baseUrl: string, startId: number, endId: number) {
    this.#session = new HttpSession({ baseUrl, throwOnError: true });
    this.#ids = range(startId, endId + 1);
  }

  [Symbol.asyncIterator](): AsyncIteratorObject<Post, undefined> {
    const posts = iter(this.#ids).map((id) => this.#fetch(id));
    return posts[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#session[Symbol.asyncDispose]();
  }

  async #fetch(id: number): Promise<Post> {
    if (this.#closed) throw new InvalidStateError("Session açık değil");
    const response = await this.#session.get(`/posts/${id}`);
    return await response.json() as Post;
  }
}

export async function dataFetcherExample(baseUrl: string): Promise<void> {
  console.log("API verilerini çekme:");
  await using fetcher = new AsyncDataFetcher(baseUrl, 1, 3);
  for await (const { id, title } of fetcher) {
    console.log(`  Post ${id}: ${title.slice(0, 50)}...`);
  }
}

/**
 * Doubles what comes. When the loop over it is left, so is the stream, which the
 * guide leaves open.
 */
export function asyncStreamProcessor(
  dataStream: AsyncIterable<number>,
): AsyncIter<number> {
  return iter(dataStream).map(async (item) => {
    await sleep(100);
    return item * 2;
  });
}

export async function streamProcessorExample(): Promise<void> {
  console.log("Stream processing:");
  const stream = asyncCounter(1, 6, 100);
  for await (const result of asyncStreamProcessor(stream)) {
    console.log(`İşlenmiş: ${result}`);
  }
}

export async function asyncComprehensionExample(): Promise<void> {
  const squares = await iter(asyncCounter(1, 6, 100))
    .map((i) => i ** 2).toArray();
  console.log(`Kareler: ${repr(squares)}`);

  const evens = await iter(asyncCounter(1, 11, 50))
    .filter((i) => i % 2 === 0).toArray();
  console.log(`Çift sayılar: ${repr(evens)}`);

  const squareDict = await iter(asyncCounter(1, 6, 50))
    .map((i) => [i, i ** 2] as const).toMap();
  console.log(`Kare dictionary: ${repr(squareDict)}`);
}

/** Gives a number, and goes on with the one that it is sent. */
export async function* asyncGeneratorWithSend(): AsyncGenerator<
  number,
  void,
  number | undefined
> {
  let value = 0;
  while (true) {
    const received = yield value;
    value = received ?? value + 1;
    await sleep(100);
  }
}

export async function generatorSendExample(): Promise<void> {
  console.log("Generator send:");
  const gen = asyncGeneratorWithSend();

  console.log((await gen.next()).value); // 0: what begins it is not received.
  console.log((await gen.next()).value); // 1
  console.log((await gen.next(10)).value); // 10
  console.log((await gen.next()).value); // 11

  await gen.return();
}

/**
 * Gives lists of `batchSize` items. A size below 1 is refused at once: the guide
 * fails late on 0, and gives nothing below.
 */
export function asyncBatchGenerator<T>(
  items: Iterable<T>,
  batchSize: number,
): AsyncIter<Awaited<T>[]> {
  return iter(items).batch(batchSize).tap(() => sleep(100));
}

export async function batchProcessorExample(): Promise<void> {
  console.log("Batch processing:");
  const items = Array.from({ length: 20 }, (_, i) => i + 1);

  for await (const batch of asyncBatchGenerator(items, 5)) {
    console.log(`Batch: ${repr(batch)}`);
  }
}

export async function main(options: MainOptions = {}): Promise<void> {
  const { baseUrl, path = "/tmp/async_test.txt" } = options;

  console.log("=== Async Generator ===");
  await asyncGeneratorExample();

  console.log("\n=== Async Iterator ===");
  await asyncIteratorExample();

  console.log("\n=== File Reader ===");
  await fileReaderExample(path);

  console.log("\n=== Data Fetcher ===");
  if (baseUrl !== undefined) await dataFetcherExample(baseUrl);
  else {
    await using server = servePosts();
    await dataFetcherExample(`http://127.0.0.1:${server.addr.port}`);
  }

  console.log("\n=== Stream Processor ===");
  await streamProcessorExample();

  console.log("\n=== Async Comprehension ===");
  await asyncComprehensionExample();

  console.log("\n=== Generator Send ===");
  await generatorSendExample();

  console.log("\n=== Batch Processor ===");
  await batchProcessorExample();
}

/** Serves posts, in place of the server that the guide asks. */
function servePosts(): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  return Deno.serve(options, (request) => {
    const { pathname } = new URL(request.url);
    const [, id] = /^\/posts\/(\d+)$/.exec(pathname) ?? [];
    if (id === undefined) return new Response("Not Found", { status: 404 });
    const title =
      `post ${id} title lorem ipsum dolor sit amet consectetur adipiscing`;
    return Response.json({ id: Number(id), title });
  });
}

if (import.meta.main) await run(() => main());
