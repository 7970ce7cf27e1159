import { Event } from "@ilmek/async/event";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import { scenario, type Tracer } from "./harness.ts";

// async def ewait(t, e, n): t(f'{n}:wait'); t(f'{n}:got', await e.wait())
async function ewait(t: Tracer, e: Event, n: string): Promise<void> {
  t(`${n}:wait`);
  t(`${n}:got`, await e.wait());
}

scenario("event.set_wakes_all", async (t) => {
  // e = asyncio.Event()
  const e = new Event();
  // ks = [mk(ewait(t, e, n)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => ewait(t, e, n)));
  // await sleep(1)
  await sleep(1000);
  // e.set()
  e.set();
  // t('main:set', e.is_set())
  t("main:set", e.isSet);
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("event.clear", async (t) => {
  // e = asyncio.Event()
  const e = new Event();
  // e.set()
  e.set();
  // e.clear()
  e.clear();
  // t('main:s', e.is_set())
  t("main:s", e.isSet);
  // await t.attempt('main:w', asyncio.wait_for(e.wait(), 1))
  await t.attempt("main:w", waitFor(() => e.wait(), 1000));
});

scenario("event.cancel_waiter", async (t) => {
  // e = asyncio.Event()
  const e = new Event();
  // ks = [mk(ewait(t, e, n)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => ewait(t, e, n)));
  // await sleep(1)
  await sleep(1000);
  // ks[1].cancel()
  ks[1]?.cancel();
  // await sleep(1)
  await sleep(1000);
  // e.set()
  e.set();
  // t('main:r', await asyncio.gather(*ks, return_exceptions=True))
  t("main:r", await gather(ks, { returnExceptions: true }));
});

scenario("event.set_twice", async (t) => {
  // e = asyncio.Event()
  const e = new Event();
  // k = mk(ewait(t, e, 'a'))
  const k = createTask(() => ewait(t, e, "a"));
  // await sleep(1)
  await sleep(1000);
  // e.set()
  e.set();
  // e.set()
  e.set();
  // await k
  await k;
  // t('main:s', e.is_set())
  t("main:s", e.isSet);
});
