/**
 * Who may call whom: plain functions, async functions, and the way between them.
 *
 * Run it: `deno run examples/02_async_await_rules.ts`
 */
import { gather } from "@ilmek/async/gather";
import { run } from "@ilmek/async/run";
import { sleep } from "@ilmek/async/sleep";
import { repr, Tuple } from "./_python.ts";

/** A record of the simulated database. */
export interface User {
  id: number;
  name: string;
}

/** Runs a function from beginning to end on a loop: `run`, unless a test decides. */
export type Bridge = <T>(fn: () => Promise<T>) => Promise<T>;

/** Reads a user from a simulated database. */
export async function fetchData(userId: number): Promise<User> {
  await sleep(500); // `await` works in async functions only.
  return { id: userId, name: `User-${userId}` };
}

/**
 * A plain function cannot `await`; it starts a run of its own, and hands on the
 * promise. There is no way to block for the value.
 */
export function cannotCallAsync(bridge: Bridge = run): Promise<User> {
  // const data = await fetchData(1); // SyntaxError!
  return bridge(() => fetchData(1));
}

/** An async function calls plain functions as ever. */
export async function canCallSync(): Promise<[number, User]> {
  const result = "test".length; // Plain: needs no `await`.
  const data = await fetchData(1); // Async: needs one.
  return [result, data];
}

/** An async function awaits another; without `await` it would have a promise. */
export async function callAsyncFromAsync(): Promise<User> {
  const data = await fetchData(1);

  // const wrong = fetchData(2); // A promise; unlike in Python, it has begun.
  return data;
}

/** Reads several users at once: 0.5 s, however many there are. */
export async function fetchMultipleUsers(
  userIds: readonly number[],
): Promise<User[]> {
  // One after the other it would take 0.5 s for each:
  // for (const id of userIds) users.push(await fetchData(id));
  return await gather(userIds.map((id) => () => fetchData(id)));
}

/** What runs on the loop. */
export async function insideTheLoop(): Promise<void> {
  const user = await fetchData(1);
  console.log(`Tek kullanıcı: ${repr(user)}`);

  const users = await fetchMultipleUsers([1, 2, 3, 4, 5]);
  console.log(`Çoklu kullanıcı: ${users.length} kullanıcı çekildi`);

  console.log(`can_call_sync: ${repr(new Tuple(...await canCallSync()))}`);
  console.log(`call_async_from_async: ${repr(await callAsyncFromAsync())}`);
}

/**
 * The guide calls the bridge on the running loop, where it throws, and drops the
 * call that it was given. Here it stands outside, where plain code is.
 */
export async function main(bridge: Bridge = run): Promise<void> {
  await bridge(insideTheLoop);

  const syncResult = await cannotCallAsync(bridge);
  console.log(`Sync'ten async: ${repr(syncResult)}`);
}

if (import.meta.main) await main();
