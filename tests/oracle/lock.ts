import { gather } from "@ilmek/async/gather";
import { Lock } from "@ilmek/async/lock";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import { scenario, type Tracer, valueError } from "./harness.ts";
import { locker } from "./helpers.ts";

scenario("lock.mutex", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // await asyncio.gather(*[locker(t, l, n, 1) for n in 'abcd'])
  await gather([..."abcd"].map((n) => () => locker(t, l, n, 1)));
  // t('main:locked', l.locked())
  t("main:locked", l.locked);
});

scenario("lock.release_unlocked", (t) => {
  // t.tryit('main:e', asyncio.Lock().release)
  t.tryIt("main:e", () => new Lock().release());
});

scenario("lock.cancel_waiter", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // ks = [mk(locker(t, l, n, 2)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => locker(t, l, n, 2)));
  // await sleep(1)
  await sleep(1000);
  // ks[1].cancel()
  ks[1]?.cancel();
  // t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  t("main:r", await gather(ks, { returnExceptions: true }));
});

scenario("lock.cancel_woken", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // await l.acquire()
  await l.acquire();
  // ks = [mk(locker(t, l, n, 1)) for n in 'bc']
  const ks = [..."bc"].map((n) => createTask(() => locker(t, l, n, 1)));
  // await sleep(1)
  await sleep(1000);
  // l.release()
  l.release();
  // ks[0].cancel()
  ks[0]?.cancel();
  // t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  t("main:r", await gather(ks, { returnExceptions: true }));
  // t('main:locked', l.locked())
  t("main:locked", l.locked);
}, { deviation: 7 });

scenario("lock.no_barging", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // await l.acquire()
  await l.acquire();
  // k = mk(locker(t, l, 'b', 1))
  const k = createTask(() => locker(t, l, "b", 1));
  // await sleep(1)
  await sleep(1000);
  // l.release()
  l.release();
  // await l.acquire()
  await l.acquire();
  // t('main:in')
  t("main:in");
  // l.release()
  l.release();
  // await k
  await k;
});

scenario("lock.error_releases", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  try {
    // async with l: raise ValueError('x')
    using _permit = await l.acquire();
    throw valueError("x");
  } catch {
    // except ValueError: t('main:locked', l.locked())
    t("main:locked", l.locked);
  }
});

scenario("lock.not_reentrant", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // await l.acquire()
  await l.acquire();
  // await t.attempt('main:r', asyncio.wait_for(l.acquire(), 1))
  await attemptToAcquire(t, "main:r", l);
  // t('main:locked', l.locked())
  t("main:locked", l.locked);
});

scenario("lock.timeout_then_free", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // await l.acquire()
  await l.acquire();
  // await t.attempt('main:r', asyncio.wait_for(l.acquire(), 1))
  await attemptToAcquire(t, "main:r", l);
  // l.release()
  l.release();
  // t('main:locked', l.locked())
  t("main:locked", l.locked);
  // await t.attempt('main:again', asyncio.wait_for(l.acquire(), 1))
  await attemptToAcquire(t, "main:again", l);
});

scenario("lock.cancel_all_waiters", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // await l.acquire()
  await l.acquire();
  // ks = [mk(locker(t, l, n, 1)) for n in 'bc']
  const ks = [..."bc"].map((n) => createTask(() => locker(t, l, n, 1)));
  // await sleep(1)
  await sleep(1000);
  // for k in ks: k.cancel()
  for (const k of ks) k.cancel();
  // await asyncio.gather(*ks, return_exceptions=True)
  await gather(ks, { returnExceptions: true });
  // l.release()
  l.release();
  // t('main:locked', l.locked())
  t("main:locked", l.locked);
  // await locker(t, l, 'd', 1)
  await locker(t, l, "d", 1);
});

/** In asyncio the wait gives `True`; here it gives a permit, which is held. */
async function attemptToAcquire(
  t: Tracer,
  label: string,
  lock: Lock,
): Promise<void> {
  await t.attempt(
    label,
    waitFor(async () => (await lock.acquire()).held, 1000),
  );
}
