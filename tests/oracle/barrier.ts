import { Barrier, BrokenBarrierError } from "@ilmek/async/barrier";
import { isCancelled } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { waitFor } from "@ilmek/async/wait-for";
import { scenario, type Tracer } from "./harness.ts";

// async def bwait(t, b, n, d=0, res=None):
//     await sleep(d); t(f'{n}:wait')
//     try: i = await b.wait()
//     except asyncio.BrokenBarrierError as e: t(f'{n}:broken'); return 'broken'
//     except Cancelled: t(f'{n}:cancelled'); raise
//     t(f'{n}:pass', i); return i
async function bwait(
  t: Tracer,
  b: Barrier,
  n: string,
  seconds = 0,
): Promise<number | string> {
  await sleep(seconds * 1000);
  t(`${n}:wait`);
  let i: number;
  try {
    i = await b.wait();
  } catch (error) {
    if (isCancelled(error)) t(`${n}:cancelled`);
    if (!(error instanceof BrokenBarrierError)) throw error;
    t(`${n}:broken`);
    return "broken";
  }
  t(`${n}:pass`, i);
  return i;
}

scenario("barrier.basic", async (t) => {
  // b = asyncio.Barrier(3)
  const b = new Barrier(3);
  // r = await asyncio.gather(*[bwait(t, b, f'w{i}', i) for i in range(3)])
  const r = await gather([0, 1, 2].map((i) => () => bwait(t, b, `w${i}`, i)));
  // t('main:idx', sorted(r))
  t("main:idx", r.toSorted());
});

scenario("barrier.indices", async (t) => {
  // b = asyncio.Barrier(3)
  const b = new Barrier(3);
  // t('main:idx', await asyncio.gather(*[bwait(t, b, f'w{i}', i) for i in (2, 0, 1)]))
  t(
    "main:idx",
    await gather([2, 0, 1].map((i) => () => bwait(t, b, `w${i}`, i))),
  );
});

scenario("barrier.props", async (t) => {
  // b = asyncio.Barrier(3)
  const b = new Barrier(3);
  // ks = [mk(bwait(t, b, n)) for n in 'ab']
  const ks = [..."ab"].map((n) => createTask(() => bwait(t, b, n)));
  // await sleep(1)
  await sleep(1000);
  // t('main:p', b.parties, b.n_waiting, b.broken)
  t("main:p", b.parties, b.waiting, b.broken);
  // await b.wait()
  await b.wait();
  // await asyncio.gather(*ks)
  await gather(ks);
  // t('main:p', b.n_waiting, b.broken)
  t("main:p", b.waiting, b.broken);
});

scenario("barrier.bad_parties", (t) => {
  // t.tryit('main:e', asyncio.Barrier, 0)
  t.tryIt("main:e", () => new Barrier(0));
});

scenario("barrier.with", async (t) => {
  // b = asyncio.Barrier(2)
  const b = new Barrier(2);
  // async def w(n):
  //     async with b as i: t(f'{n}:in', i)
  const w = (n: string) => async () => {
    t(`${n}:in`, await b.wait());
  };
  // await asyncio.gather(w('a'), w('b'))
  await gather([w("a"), w("b")]);
});

scenario("barrier.extra_waits_next", async (t) => {
  // b = asyncio.Barrier(2)
  const b = new Barrier(2);
  // ks = [mk(bwait(t, b, n)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => bwait(t, b, n)));
  // await sleep(1)
  await sleep(1000);
  // t('main:n', b.n_waiting, [k.done() for k in ks])
  t("main:n", b.waiting, ks.map((k) => k.done));
  // await bwait(t, b, 'd')
  await bwait(t, b, "d");
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("barrier.timeout", async (t) => {
  // b = asyncio.Barrier(2)
  const b = new Barrier(2);
  // await t.attempt('main:r', asyncio.wait_for(b.wait(), 1))
  await t.attempt("main:r", waitFor(() => b.wait(), 1000));
  // t('main:p', b.n_waiting, b.broken)
  t("main:p", b.waiting, b.broken);
});
