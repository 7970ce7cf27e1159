import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { FIRST_COMPLETED, FIRST_EXCEPTION, wait } from "@ilmek/async/wait";
import { scenario, type Tracer, valueError } from "./harness.ts";
import { names } from "./helpers.ts";

type Row = readonly [name: string, seconds: number, error?: Error];

/** `[mk(t.act(n, d, exc=e), name=n) for n, d, e in rows]` */
function actors(t: Tracer, rows: readonly Row[]): Task<null>[] {
  return rows.map(([name, seconds, error]) =>
    createTask(() => t.act(name, seconds, null, error), { name })
  );
}

scenario("wait.all_completed", async (t) => {
  // ks = [mk(t.act(n, d, exc=e), name=n) for n, d, e in (('a', 2, None), ('b', 1, ValueError('b')), ('c', 3, None))]
  const ks = actors(t, [["a", 2], ["b", 1, valueError("b")], ["c", 3]]);
  // d, p = await asyncio.wait(ks)
  const { done, pending } = await wait(ks);
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
  // t('main:err', ks[1].exception())
  t("main:err", ks[1]?.exception());
});

scenario("wait.first_completed", async (t) => {
  // ks = [mk(t.act(n, d), name=n) for n, d in (('a', 2), ('b', 1), ('c', 3))]
  const ks = actors(t, [["a", 2], ["b", 1], ["c", 3]]);
  // d, p = await asyncio.wait(ks, return_when=asyncio.FIRST_COMPLETED)
  const { done, pending } = await wait(ks, { returnWhen: FIRST_COMPLETED });
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
  // await sleep(5)
  await sleep(5000);
});

scenario("wait.first_completed_same_tick", async (t) => {
  // ks = [mk(t.act(n, d), name=n) for n, d in (('a', 1), ('b', 1), ('c', 3))]
  const ks = actors(t, [["a", 1], ["b", 1], ["c", 3]]);
  // d, p = await asyncio.wait(ks, return_when=asyncio.FIRST_COMPLETED)
  const { done, pending } = await wait(ks, { returnWhen: FIRST_COMPLETED });
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
  // await asyncio.wait(p)
  await wait(pending);
});

scenario("wait.first_exception", async (t) => {
  // ks = [mk(t.act(n, d, exc=e), name=n) for n, d, e in (('a', 1, None), ('b', 2, ValueError('b')), ('c', 3, None))]
  const ks = actors(t, [["a", 1], ["b", 2, valueError("b")], ["c", 3]]);
  // d, p = await asyncio.wait(ks, return_when=asyncio.FIRST_EXCEPTION)
  const { done, pending } = await wait(ks, { returnWhen: FIRST_EXCEPTION });
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
  // ks[1].exception()
  ks[1]?.exception();
  // await asyncio.wait(p)
  await wait(pending);
});

scenario("wait.first_exception_none", async (t) => {
  // ks = [mk(t.act(n, d), name=n) for n, d in (('a', 1), ('b', 2))]
  const ks = actors(t, [["a", 1], ["b", 2]]);
  // d, p = await asyncio.wait(ks, return_when=asyncio.FIRST_EXCEPTION)
  const { done, pending } = await wait(ks, { returnWhen: FIRST_EXCEPTION });
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
});

scenario("wait.first_exception_cancelled", async (t) => {
  // ks = [mk(t.act(n, d), name=n) for n, d in (('a', 5), ('b', 2))]
  const ks = actors(t, [["a", 5], ["b", 2]]);
  // asyncio.get_running_loop().call_later(1, ks[0].cancel)
  getRunningLoop().callLater(1000, () => ks[0]?.cancel());
  // d, p = await asyncio.wait(ks, return_when=asyncio.FIRST_EXCEPTION)
  const { done, pending } = await wait(ks, { returnWhen: FIRST_EXCEPTION });
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
});

scenario("wait.empty", async (t) => {
  // await t.attempt('main:wait', asyncio.wait([]))
  await t.attempt("main:wait", wait([]));
});

scenario("wait.already_done", async (t) => {
  // a = mk(sleep(0), name='a')
  const a = createTask<unknown>(() => sleep(0), { name: "a" });
  // await a
  await a;
  // b = mk(t.act('b', 1), name='b')
  const b = createTask<unknown>(() => t.act("b", 1), { name: "b" });
  // d, p = await asyncio.wait([a, b], return_when=asyncio.FIRST_COMPLETED)
  const { done, pending } = await wait([a, b], { returnWhen: FIRST_COMPLETED });
  // t('main:wait', names(d), names(p))
  t("main:wait", names(done), names(pending));
  // await b
  await b;
});

scenario("wait.outer_cancel", async (t) => {
  // a = mk(t.act('a', 3, 'A'), name='a')
  const a = createTask(() => t.act("a", 3, "A"), { name: "a" });
  // w = mk(asyncio.wait([a]))
  const w = createTask(() => wait([a]));
  // await sleep(1)
  await sleep(1000);
  // w.cancel()
  w.cancel();
  // await t.attempt('main:w', w)
  await t.attempt("main:w", w);
  // t('main:a', await a)
  t("main:a", await a);
});
