/**
 * The functions one starts with: tasks, gather, wait, timeouts, and HTTP at once.
 *
 * Run it: `deno run --allow-net=127.0.0.1 examples/03_asyncio_functions.ts`; add
 * `--base-url=https://jsonplaceholder.typicode.com`, and the permission to reach
 * it, for requests that leave this machine.
 */
import { asCompleted } from "@ilmek/async/as-completed";
import { gather } from "@ilmek/async/gather";
import { HttpSession, NetworkError } from "@ilmek/async/http-session";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TimeoutError } from "@ilmek/async/timeout";
import { FIRST_COMPLETED, wait } from "@ilmek/async/wait";
import { waitFor } from "@ilmek/async/wait-for";
import { repr } from "./_python.ts";

/** Options of {@linkcode main}. */
export interface MainOptions {
  /** Where the posts are; a server on this machine by default. */
  baseUrl?: string | undefined;
}

/** The entry of a program: `run` calls it. */
export async function topLevelExample(): Promise<void> {
  console.log("Program başladı");
  await sleep(1000);
  console.log("Program bitti");
}

export async function backgroundTask(
  name: string,
  count: number,
): Promise<string> {
  for (let i = 0; i < count; i++) {
    console.log(`${name}: ${i + 1}/${count}`);
    await sleep(500);
  }
  return `${name} tamamlandı`;
}

/**
 * Runs two tasks beside each other.
 *
 * The guide says that a task starts at once. It is only planned: it begins when
 * the one who made it waits.
 */
export async function taskExample(): Promise<void> {
  const task1 = createTask(() => backgroundTask("Task-1", 3));
  const task2 = createTask(() => backgroundTask("Task-2", 2));

  const result1 = await task1;
  const result2 = await task2;

  console.log(`Sonuçlar: ${result1}, ${result2}`);
}

export async function gatherExample(): Promise<void> {
  const results = await gather([
    () => backgroundTask("A", 2),
    () => backgroundTask("B", 2),
    () => backgroundTask("C", 2),
  ], { returnExceptions: true }); // Errors take their places among the results.
  console.log(`Gather sonuçları: ${repr(results)}`);
}

export async function waitExample(): Promise<void> {
  const tasks = [1, 2, 3].map((i) =>
    createTask(() => backgroundTask(`Task-${i}`, i))
  );

  const { done, pending } = await wait(tasks, { returnWhen: FIRST_COMPLETED });

  console.log(`İlk tamamlanan: ${done.size} task`);
  console.log(`Devam eden: ${pending.size} task`);
  // The guide does not look at what has ended: an error in there goes unnoticed.
  for (const task of done) task.result();

  for (const task of pending) task.cancel();
  await gather([...pending], { returnExceptions: true });
}

export async function slowOperation(): Promise<string> {
  await sleep(5000);
  return "Tamamlandı";
}

export async function timeoutExample(): Promise<void> {
  try {
    const result = await waitFor(slowOperation, 2000);
    console.log(result);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log("İşlem zaman aşımına uğradı!");
  }
}

/**
 * Takes results as they come. The functions start in the order given, while the
 * guide's start in any.
 */
export async function asCompletedExample(): Promise<void> {
  const entries = [1, 2, 3, 4].map((i) => () => backgroundTask(`Task-${i}`, i));

  for (const next of asCompleted(entries)) {
    const result = await next;
    console.log(`Tamamlandı: ${result}`);
  }
}

/** What came of a request. */
export type FetchResult =
  | { url: string; ok: true; status: number; size: number }
  | {
    url: string;
    ok: false;
    kind: "status" | "timeout" | "network";
    /** What went wrong; never empty. */
    error: string;
  };

/**
 * Fetches a URL, and tells what came of it.
 *
 * The guide takes any answer for a success, counts characters for bytes, shows
 * nothing for a timeout, and swallows mistakes in its own code. Here the status
 * counts, each failure has a text, and what is a mistake is thrown.
 */
export async function fetchUrl(
  session: HttpSession,
  url: string,
): Promise<FetchResult> {
  try {
    await using response = await session.get(url, { timeoutMs: 10_000 });
    const { ok, status } = response;
    if (!ok) return { url, ok, kind: "status", error: `HTTP ${status}` };
    const body = await response.bytes();
    return { url, ok, status, size: body.length };
  } catch (error) {
    if (error instanceof TimeoutError) {
      return { url, ok: false, kind: "timeout", error: error.message };
    }
    if (error instanceof NetworkError) {
      return { url, ok: false, kind: "network", error: error.message };
    }
    throw error;
  }
}

export async function parallelHttpRequests(baseUrl: string): Promise<void> {
  const urls = [1, 2, 3, 4, 5].map((id) => `${baseUrl}/posts/${id}`);

  await using session = new HttpSession();
  const results = await gather(
    urls.map((url) => () => fetchUrl(session, url)),
  );

  for (const result of results) {
    if (result.ok) {
      console.log(`✓ ${result.url}: ${result.status} (${result.size} bytes)`);
    } else {
      console.log(`❌ ${result.url}: ${result.error}`);
    }
  }
}

export async function main(options: MainOptions = {}): Promise<void> {
  console.log("=== Top Level Example ===");
  await topLevelExample();

  console.log("\n=== Task Example ===");
  await taskExample();

  console.log("\n=== Gather Example ===");
  await gatherExample();

  console.log("\n=== Wait Example ===");
  await waitExample();

  console.log("\n=== Timeout Example ===");
  await timeoutExample();

  console.log("\n=== As Completed Example ===");
  await asCompletedExample();

  console.log("\n=== Parallel HTTP Requests ===");
  const { baseUrl } = options;
  if (baseUrl !== undefined) return await parallelHttpRequests(baseUrl);
  await using server = servePosts();
  await parallelHttpRequests(`http://127.0.0.1:${server.addr.port}`);
}

/** Serves posts of 151 bytes, in place of the server that the guide asks. */
function servePosts(): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  return Deno.serve(options, (request) => {
    const { pathname } = new URL(request.url);
    const [, id] = /^\/posts\/(\d+)$/.exec(pathname) ?? [];
    if (id === undefined) return new Response("Not Found", { status: 404 });
    const post = { userId: 1, id: Number(id), title: `Post ${id}`, body: "" };
    const missing = 151 - JSON.stringify(post).length;
    post.body = "lorem ipsum ".repeat(20).slice(0, missing);
    return Response.json(post);
  });
}

if (import.meta.main) {
  const flag = "--base-url=";
  const baseUrl = Deno.args.find((arg) => arg.startsWith(flag))
    ?.slice(flag.length);
  await run(() => main({ baseUrl }));
}
