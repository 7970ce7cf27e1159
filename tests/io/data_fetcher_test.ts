import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataFetcher, fetchPages } from "@ilmek/async/data-fetcher";
import { InvalidStateError, TimeoutError } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import {
  HttpSession,
  HttpStatusError,
  JsonError,
  SessionClosedError,
} from "@ilmek/async/http-session";
import { sleep } from "@ilmek/async/sleep";
import { timeout } from "@ilmek/async/timeout";

interface Post {
  readonly id: number;
}

/** A session whose answers take a while, and the numbers that were asked for. */
function slowSession(
  answer: (id: number) => Response = (id) => Response.json({ id }),
): { session: HttpSession; asked: number[] } {
  const asked: number[] = [];
  const session = new HttpSession({
    fetch: async ({ url }) => {
      const id = Number(url.split("/").at(-1));
      asked.push(id);
      await sleep(15);
      return answer(id);
    },
  });
  return { session, asked };
}

function fetcherOf(
  session: HttpSession,
  lastId = 3,
): DataFetcher<Post> {
  return new DataFetcher<Post>("http://test/posts/", {
    firstId: 1,
    lastId,
    session,
  });
}

Deno.test("DataFetcher fetches from the first to the last number", async () => {
  const urls: string[] = [];
  await using session = new HttpSession({
    fetch: ({ url }) => {
      urls.push(url);
      return Promise.resolve(Response.json({ id: urls.length }));
    },
  });
  const posts: Post[] = [];

  for await (const post of fetcherOf(session)) posts.push(post);

  assertEquals(posts, [{ id: 1 }, { id: 2 }, { id: 3 }]);
  assertEquals(urls, [1, 2, 3].map((id) => `http://test/posts/${id}`));
});

Deno.test("DataFetcher fetches nothing if the last comes before the first", async () => {
  const posts = new DataFetcher("http://test", { firstId: 2, lastId: 1 });

  assertEquals(await posts.next(), { done: true, value: undefined });
});

Deno.test("calls of next() side by side fetch different records", async () => {
  const { session, asked } = slowSession();
  const posts = fetcherOf(session);

  const results = await gather([() => posts.next(), () => posts.next()]);
  const rest = await posts.next();

  assertEquals(asked, [1, 2, 3]);
  assertEquals(
    [...results, rest].map(({ value }) => value),
    [{ id: 1 }, { id: 2 }, { id: 3 }],
  );
  assertEquals((await posts.next()).done, true);
});

Deno.test("a record that has failed is fetched by the call after", async () => {
  let isDown = true;
  const { session, asked } = slowSession((id) =>
    id === 1 && isDown
      ? new Response("<h1>down</h1>", { status: 503 })
      : Response.json({ id })
  );
  const posts = fetcherOf(session);

  const error = await assertRejects(() => posts.next(), HttpStatusError);
  assertEquals(error.status, 503);
  isDown = false;
  const results = await gather([() => posts.next(), () => posts.next()]);

  assertEquals(results.map(({ value }) => value), [{ id: 1 }, { id: 2 }]);
  assertEquals(asked, [1, 1, 2]);
});

Deno.test("a record whose fetch was cancelled is not left out", async () => {
  const { session, asked } = slowSession();
  const posts = fetcherOf(session);

  await assertRejects(() => timeout(10, () => posts.next()), TimeoutError);

  assertEquals((await posts.next()).value, { id: 1 });
  assertEquals(asked, [1, 1]);
});

Deno.test("a body that is not JSON is an error of its own", async () => {
  await using session = new HttpSession({
    fetch: () => Promise.resolve(new Response("<h1>hello</h1>")),
  });

  await assertRejects(() => fetcherOf(session).next(), JsonError);
});

Deno.test("a closed DataFetcher refuses, unless it is at its end", async () => {
  const { session } = slowSession();
  const posts = fetcherOf(session, 1);
  posts.close();
  posts.close();

  assert(posts.closed);
  await assertRejects(
    () => posts.next(),
    InvalidStateError,
    "Cannot fetch http://test/posts/1: the fetcher was closed",
  );
  assertEquals(session.closed, false);
});

Deno.test("to leave a loop closes the DataFetcher", async () => {
  const { session, asked } = slowSession();
  const posts = fetcherOf(session);

  for await (const _post of posts) break;

  assert(posts.closed);
  assertEquals(asked, [1]);
});

Deno.test("a DataFetcher closes the session that is its own", async () => {
  const cut = new AbortController();
  const hanging = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: cut.signal,
    onListen: () => {},
  }, () => new Promise<Response>(() => {}));
  const url = `http://127.0.0.1:${hanging.addr.port}`;
  const posts = new DataFetcher(url, { firstId: 1, lastId: 1 });
  const first = posts.next();
  first.catch(() => {});
  await sleep(20);

  await posts[Symbol.asyncDispose]();

  await assertRejects(() => first, SessionClosedError);
  cut.abort();
  await hanging.finished;
});

Deno.test("DataFetcher() refuses what makes no sense", () => {
  const make = (url: string, firstId: number, lastId: number) => () =>
    new DataFetcher(url, { firstId, lastId });

  assertThrows(
    make("posts", 1, 2),
    TypeError,
    '"baseUrl" must be a URL of HTTP',
  );
  assertThrows(make("ftp://test", 1, 2), TypeError, '"baseUrl"');
  assertThrows(
    make("http://test", 0.5, 2),
    RangeError,
    '"firstId" must be an integer: current value is 0.5',
  );
  assertThrows(make("http://test", 1, Infinity), RangeError, '"lastId"');
});

/** A session that gives pages by the number at the end of the URL. */
function pagedSession(
  respond: (page: number, url: URL) => Response,
): { session: HttpSession; urls: string[] } {
  const urls: string[] = [];
  const session = new HttpSession({
    baseUrl: "http://test",
    fetch: ({ url }) => {
      urls.push(url);
      const parsed = new URL(url);
      const page = Number(parsed.searchParams.get("page"));
      const response = respond(page, parsed);
      Object.defineProperty(response, "url", { value: url });
      return Promise.resolve(response);
    },
  });
  return { session, urls };
}

Deno.test("fetchPages() follows the header that links to the next page", async () => {
  const { session, urls } = pagedSession((page) =>
    Response.json([page], {
      headers: page < 3
        ? {
          link: `</items?page=${page - 1}>; rel="prev", ` +
            `</items?page=${page + 1}>; rel="next"`,
        }
        : {},
    })
  );
  const pages: unknown[] = [];

  for await (
    const page of fetchPages(session, "/items", { query: { page: 1 } })
  ) pages.push(page);

  assertEquals(pages, [[1], [2], [3]]);
  assertEquals(urls, [1, 2, 3].map((n) => `http://test/items?page=${n}`));
});

Deno.test("fetchPages() fetches a page when it is asked for", async () => {
  const { session, urls } = pagedSession((page) => Response.json({ page }));
  const pages = fetchPages<{ page: number }>(session, "/?page=1", {
    nextOf: ({ page }) => `/?page=${page + 1}`,
  });
  assertEquals(urls.length, 0);

  for await (const { page } of pages) if (page === 2) break;

  assertEquals(urls.length, 2);
});

Deno.test("fetchPages() throws on a bad status and on a bad nextOf", async () => {
  const { session } = pagedSession(() => new Response("", { status: 404 }));

  await assertRejects(() => fetchPages(session, "/").next(), HttpStatusError);
  await assertRejects(
    () => fetchPages(session, "/", { nextOf: 1 as never }).next(),
    TypeError,
    '"nextOf" must be a function',
  );
});
