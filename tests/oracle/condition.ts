import { Condition } from "@ilmek/async/condition";
import { gather } from "@ilmek/async/gather";
import { Lock } from "@ilmek/async/lock";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { scenario, type Tracer } from "./harness.ts";

// async def cwait(t, c, n):
//     async with c:
//         t(f'{n}:wait'); r = await c.wait(); t(f'{n}:woken', r, c.locked())
async function cwait(t: Tracer, c: Condition, n: string): Promise<void> {
  using _permit = await c.acquire();
  t(`${n}:wait`);
  const r = await c.wait();
  t(`${n}:woken`, r, c.locked);
}

scenario("cond.notify_n", async (t) => {
  // c = asyncio.Condition()
  const c = new Condition();
  // ks = [mk(cwait(t, c, n)) for n in 'abcd']
  const ks = [..."abcd"].map((n) => createTask(() => cwait(t, c, n)));
  // await sleep(1)
  await sleep(1000);
  // async with c: c.notify(2); t('main:n2')
  await c.run(() => {
    c.notify(2);
    t("main:n2");
  });
  // await sleep(1)
  await sleep(1000);
  // async with c: c.notify(); t('main:n1')
  await c.run(() => {
    c.notify();
    t("main:n1");
  });
  // await sleep(1)
  await sleep(1000);
  // async with c: c.notify(9); t('main:n9')
  await c.run(() => {
    c.notify(9);
    t("main:n9");
  });
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("cond.notify_all", async (t) => {
  // c = asyncio.Condition()
  const c = new Condition();
  // ks = [mk(cwait(t, c, n)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => cwait(t, c, n)));
  // await sleep(1)
  await sleep(1000);
  // async with c: c.notify_all(); t('main:all'); await sleep(1); t('main:release')
  await c.run(async () => {
    c.notifyAll();
    t("main:all");
    await sleep(1000);
    t("main:release");
  });
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("cond.unlocked", async (t) => {
  // c = asyncio.Condition()
  const c = new Condition();
  // await t.attempt('main:w', c.wait())
  await t.attempt("main:w", c.wait());
  // t.tryit('main:n', c.notify)
  t.tryIt("main:n", () => c.notify());
  // t.tryit('main:na', c.notify_all)
  t.tryIt("main:na", () => c.notifyAll());
});

scenario("cond.cancel_notified", async (t) => {
  // c = asyncio.Condition()
  const c = new Condition();
  // ks = [mk(cwait(t, c, n)) for n in 'ab']
  const ks = [..."ab"].map((n) => createTask(() => cwait(t, c, n)));
  // await sleep(1)
  await sleep(1000);
  // async with c: c.notify(1)
  await c.run(() => c.notify(1));
  // ks[0].cancel()
  ks[0]?.cancel();
  // await sleep(1)
  await sleep(1000);
  // t('main:done', [k.done() for k in ks])
  t("main:done", ks.map((k) => k.done));
  // ks[1].cancel()
  ks[1]?.cancel();
  // t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  t("main:r", await gather(ks, { returnExceptions: true }));
}, { deviation: 7 });

scenario("cond.releases_lock", async (t) => {
  // c = asyncio.Condition()
  const c = new Condition();
  // k = mk(cwait(t, c, 'a'))
  const k = createTask(() => cwait(t, c, "a"));
  // await sleep(1)
  await sleep(1000);
  // t('main:l', c.locked())
  t("main:l", c.locked);
  // async with c: t('main:in'); c.notify()
  await c.run(() => {
    t("main:in");
    c.notify();
  });
  // await k
  await k;
});

scenario("cond.shared_lock", async (t) => {
  // l = asyncio.Lock()
  const l = new Lock();
  // a, b = asyncio.Condition(l), asyncio.Condition(l)
  const [a, b] = [new Condition(l), new Condition(l)];
  // ks = [mk(cwait(t, a, 'a')), mk(cwait(t, b, 'b'))]
  const ks = [
    createTask(() => cwait(t, a, "a")),
    createTask(() => cwait(t, b, "b")),
  ];
  // await sleep(1)
  await sleep(1000);
  // async with l: b.notify();
  await l.run(() => b.notify());
  // await sleep(1)
  await sleep(1000);
  // async with a: a.notify()
  await a.run(() => a.notify());
  // await asyncio.gather(*ks)
  await gather(ks);
});
