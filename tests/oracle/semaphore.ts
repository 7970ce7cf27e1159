import { gather } from "@ilmek/async/gather";
import { BoundedSemaphore, Semaphore } from "@ilmek/async/semaphore";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import { scenario, type Tracer, valueError } from "./harness.ts";
import { locker } from "./helpers.ts";

scenario("sem.limit", async (t) => {
  // s = asyncio.Semaphore(2)
  const s = new Semaphore(2);
  // await asyncio.gather(*[locker(t, s, f'w{i}', 1) for i in range(5)])
  await gather([0, 1, 2, 3, 4].map((i) => () => locker(t, s, `w${i}`, 1)));
});

scenario("sem.negative", (t) => {
  // t.tryit('main:e', asyncio.Semaphore, -1)
  t.tryIt("main:e", () => new Semaphore(-1));
  // t.tryit('main:b', asyncio.BoundedSemaphore, -1)
  t.tryIt("main:b", () => new BoundedSemaphore(-1));
});

scenario("sem.bounded_over", async (t) => {
  // s = asyncio.BoundedSemaphore(1)
  const s = new BoundedSemaphore(1);
  // t.tryit('main:e', s.release)
  t.tryIt("main:e", () => s.release());
  // await s.acquire()
  await s.acquire();
  // t.tryit('main:r', s.release)
  t.tryIt("main:r", () => s.release());
  // t.tryit('main:e2', s.release)
  t.tryIt("main:e2", () => s.release());
});

scenario("sem.cancel_waiter", async (t) => {
  // s = asyncio.Semaphore(1)
  const s = new Semaphore(1);
  // ks = [mk(locker(t, s, n, 2)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => locker(t, s, n, 2)));
  // await sleep(1)
  await sleep(1000);
  // ks[1].cancel()
  ks[1]?.cancel();
  // t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  t("main:r", await gather(ks, { returnExceptions: true }));
  // t('main:l', s.locked())
  t("main:l", s.locked);
});

scenario("sem.cancel_woken", async (t) => {
  // s = asyncio.Semaphore(0)
  const s = new Semaphore(0);
  // ks = [mk(locker(t, s, n, 1)) for n in 'ab']
  const ks = [..."ab"].map((n) => createTask(() => locker(t, s, n, 1)));
  // await sleep(1)
  await sleep(1000);
  // s.release()
  s.release();
  // ks[0].cancel()
  ks[0]?.cancel();
  // t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  t("main:r", await gather(ks, { returnExceptions: true }));
  // t('main:l', s.locked())
  t("main:l", s.locked);
}, { deviation: 7 });

scenario("sem.cancel_woken_alone", async (t) => {
  // s = asyncio.Semaphore(0)
  const s = new Semaphore(0);
  // k = mk(locker(t, s, 'a', 1))
  const k = createTask(() => locker(t, s, "a", 1));
  // await sleep(1)
  await sleep(1000);
  // s.release()
  s.release();
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:l', s.locked())
  t("main:l", s.locked);
  // await asyncio.wait_for(s.acquire(), 1)
  await waitFor(() => s.acquire(), 1000);
  // t('main:got')
  t("main:got");
}, { deviation: 7 });

scenario("sem.no_barging", async (t) => {
  // s = asyncio.Semaphore(1)
  const s = new Semaphore(1);
  // await s.acquire()
  await s.acquire();
  // k = mk(locker(t, s, 'b', 1))
  const k = createTask(() => locker(t, s, "b", 1));
  // await sleep(1)
  await sleep(1000);
  // s.release()
  s.release();
  // t('main:l', s.locked())
  t("main:l", s.locked);
  // await s.acquire()
  await s.acquire();
  // t('main:in')
  t("main:in");
  // s.release()
  s.release();
  // await k
  await k;
});

scenario("sem.timeout", async (t) => {
  // s = asyncio.Semaphore(1)
  const s = new Semaphore(1);
  // await s.acquire()
  await s.acquire();
  // await t.attempt('main:r', asyncio.wait_for(s.acquire(), 1))
  await attemptToAcquire(t, "main:r", s);
  // s.release()
  s.release();
  // t('main:l', s.locked())
  t("main:l", s.locked);
  // await t.attempt('main:r2', asyncio.wait_for(s.acquire(), 1))
  await attemptToAcquire(t, "main:r2", s);
});

scenario("sem.error_releases", async (t) => {
  // s = asyncio.BoundedSemaphore(1)
  const s = new BoundedSemaphore(1);
  try {
    // async with s: raise ValueError('x')
    using _permit = await s.acquire();
    throw valueError("x");
  } catch {
    // except ValueError: t('main:l', s.locked())
    t("main:l", s.locked);
  }
});

scenario("sem.seed_workers", async (t) => {
  // s = asyncio.Semaphore(2)
  const s = new Semaphore(2);
  // await asyncio.gather(*[locker(t, s, f'{i}', 1) for i in range(5)])
  await gather([0, 1, 2, 3, 4].map((i) => () => locker(t, s, `${i}`, 1)));
  // t('main:total')
  t("main:total");
});

/** In asyncio the wait gives `True`; here it gives a permit, which is held. */
async function attemptToAcquire(
  t: Tracer,
  label: string,
  semaphore: Semaphore,
): Promise<void> {
  await t.attempt(
    label,
    waitFor(async () => (await semaphore.acquire()).held, 1000),
  );
}
