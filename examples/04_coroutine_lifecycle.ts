/**
 * Calls that have not begun, calls within calls, chains, and generators.
 *
 * Run it: `deno run examples/04_coroutine_lifecycle.ts`
 */
import { Coroutine, coroutine } from "@ilmek/async/coroutine";
import { gather } from "@ilmek/async/gather";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { repr, typeText } from "./_python.ts";

export interface User {
  id: number;
  name: string;
}

export interface Post {
  id: number;
  title: string;
}

/** Options of {@linkcode asyncRange}. */
export interface AsyncRangeOptions {
  /**
   * How far one value is from the next; below 0 it counts down.
   *
   * @default {1}
   */
  step?: number;
}

export async function simpleCoroutine(name: string): Promise<string> {
  console.log(`${name} başladı`);
  await sleep(1000);
  console.log(`${name} bitti`);
  return `${name} tamamlandı`;
}

/**
 * Looks at a call before it begins.
 *
 * The guide starts a second loop on the running one to get the result, which
 * throws; the rest of its program is never reached. A coroutine is awaited.
 */
export async function inspectCoroutine(): Promise<void> {
  const coro = coroutine(simpleCoroutine, "Test");

  console.log(`Tip: ${typeText(coro)}`);
  console.log(`Coroutine mu?: ${repr(coro instanceof Coroutine)}`);
  console.log(`Durum: CORO_${coro.state.toUpperCase()}`);

  const result = await coro;
  console.log(`Sonuç: ${result}`);
}

export async function fetchUser(userId: number): Promise<User> {
  await sleep(500);
  return { id: userId, name: `User-${userId}` };
}

export async function fetchUserPosts(_userId: number): Promise<Post[]> {
  await sleep(500);
  return [
    { id: 1, title: "Post 1" },
    { id: 2, title: "Post 2" },
  ];
}

/** Reads a user and the posts at once: 0.5 s instead of 1 s. */
export async function fetchUserWithPosts(
  userId: number,
): Promise<User & { posts: Post[] }> {
  const { user, posts } = await gather({
    user: () => fetchUser(userId),
    posts: () => fetchUserPosts(userId),
  });
  return { ...user, posts };
}

export async function step1(): Promise<string> {
  console.log("Adım 1 çalışıyor");
  await sleep(500);
  return "Adım 1 tamamlandı";
}

export async function step2(previousResult: string): Promise<string> {
  console.log(`Adım 2 çalışıyor (önceki: ${previousResult})`);
  await sleep(500);
  return "Adım 2 tamamlandı";
}

export async function step3(previousResult: string): Promise<string> {
  console.log(`Adım 3 çalışıyor (önceki: ${previousResult})`);
  await sleep(500);
  return "Adım 3 tamamlandı";
}

/** Each step gets the result of the one before. */
export async function chainedCoroutines(): Promise<string> {
  const result1 = await step1();
  const result2 = await step2(result1);
  return await step3(result2);
}

/**
 * Gives numbers from `start` up to `stop`, which is not among them, and waits
 * 0.1 s before each.
 *
 * With a step of 0 or less the guide's generator never ends: here 0 is refused,
 * and a step below 0 counts down.
 */
export function asyncRange(
  start: number,
  stop: number,
  options: AsyncRangeOptions = {},
): AsyncGenerator<number, void, void> {
  const { step = 1 } = options;
  if (!Number.isFinite(step) || step === 0) {
    throw new RangeError(
      `Cannot count as "step" must be a number other than 0: current value is ${step}`,
    );
  }
  return (async function* () {
    for (let n = start; step > 0 ? n < stop : n > stop; n += step) {
      await sleep(100);
      yield n;
    }
  })();
}

export async function useAsyncGenerator(): Promise<void> {
  console.log("Async range kullanımı:");
  for await (const num of asyncRange(0, 5)) {
    console.log(`Değer: ${num}`);
  }
}

export async function main(): Promise<void> {
  console.log("=== Coroutine İnceleme ===");
  await inspectCoroutine();

  console.log("\n=== Nested Coroutines ===");
  const userData = await fetchUserWithPosts(1);
  console.log(`Kullanıcı verisi: ${repr(userData)}`);

  console.log("\n=== Chained Coroutines ===");
  const finalResult = await chainedCoroutines();
  console.log(`Final sonuç: ${finalResult}`);

  console.log("\n=== Async Generator ===");
  await useAsyncGenerator();
}

if (import.meta.main) await run(main);
