import { isCancelled } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { uncancellable } from "@ilmek/async/uncancellable";
import { keyError, scenario, valueError } from "./harness.ts";

scenario("gather.first_error", async (t) => {
  // await t.attempt('main:gather', asyncio.gather(t.act('a', 3, 'A'), t.act('b', 1, exc=ValueError('b')), t.act('c', 2, 'C')))
  await t.attempt(
    "main:gather",
    gather([
      () => t.act("a", 3, "A"),
      () => t.act("b", 1, null, valueError("b")),
      () => t.act("c", 2, "C"),
    ]),
  );
  // await sleep(5)
  await sleep(5000);
});

scenario("gather.return_exceptions", async (t) => {
  // t('main:result', await asyncio.gather(t.act('a', 3, 'A'), t.act('b', 1, exc=ValueError('b')), t.act('c', 2, exc=KeyError('c')), return_exceptions=True))
  t(
    "main:result",
    await gather([
      () => t.act("a", 3, "A"),
      () => t.act("b", 1, null, valueError("b")),
      () => t.act("c", 2, null, keyError("c")),
    ], { returnExceptions: true }),
  );
});

scenario("gather.child_cancelled_re", async (t) => {
  // k = mk(t.act('b', 5))
  const k = createTask(() => t.act("b", 5));
  // asyncio.get_running_loop().call_later(1, k.cancel)
  getRunningLoop().callLater(1000, () => k.cancel());
  // t('main:result', await asyncio.gather(t.act('a', 2, 'A'), k, return_exceptions=True))
  t(
    "main:result",
    await gather([() => t.act("a", 2, "A"), k], { returnExceptions: true }),
  );
});

scenario("gather.child_cancelled", async (t) => {
  // k = mk(t.act('b', 5))
  const k = createTask(() => t.act("b", 5));
  // asyncio.get_running_loop().call_later(1, k.cancel)
  getRunningLoop().callLater(1000, () => k.cancel());
  // await t.attempt('main:gather', asyncio.gather(t.act('a', 2, 'A'), k))
  await t.attempt("main:gather", gather([() => t.act("a", 2, "A"), k]));
  // t('main:cancelling', asyncio.current_task().cancelling())
  t("main:cancelling", Number(currentTask()?.cancelling));
  // await sleep(3)
  await sleep(3000);
});

scenario("gather.cancel_outer_re", async (t) => {
  // g = asyncio.gather(t.act('a', 1, 'A'), t.act('b', 5), return_exceptions=True)
  const g = gather([
    () => t.act("a", 1, "A"),
    () => t.act("b", 5),
  ], { returnExceptions: true });
  // asyncio.get_running_loop().call_later(2, g.cancel)
  getRunningLoop().callLater(2000, () => g.cancel());
  // await t.attempt('main:gather', g)
  await t.attempt("main:gather", g);
});

scenario("gather.cancel_all_swallowed", async (t) => {
  // async def stubborn(n, d):
  const stubborn = async (n: string, d: number) => {
    // try: await sleep(10)
    try {
      await sleep(10_000);
    } catch (error) {
      // except Cancelled: t(f'{n}:swallow')
      if (!isCancelled(error)) throw error;
      t(`${n}:swallow`);
      // await sleep(d)
      await uncancellable(() => sleep(d));
      // t(f'{n}:done')
      t(`${n}:done`);
      // return n
      return n;
    }
    return null;
  };
  // g = asyncio.gather(stubborn('x', 1), stubborn('y', 2))
  const g = gather([() => stubborn("x", 1000), () => stubborn("y", 2000)]);
  // asyncio.get_running_loop().call_later(2, g.cancel)
  getRunningLoop().callLater(2000, () => g.cancel());
  // await t.attempt('main:gather', g)
  await t.attempt("main:gather", g);
});

scenario("gather.cancel_waiter_task", async (t) => {
  // async def w(): await asyncio.gather(t.act('a', 5), t.act('b', 6))
  const w = async () => {
    await gather([() => t.act("a", 5), () => t.act("b", 6)]);
  };
  // k = mk(w())
  const k = createTask(w);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:task', k)
  await t.attempt("main:task", k);
  // t('main:cancelled', k.cancelled())
  t("main:cancelled", k.cancelled);
});

scenario("gather.same_tick_errors", async (t) => {
  // await t.attempt('main:gather', asyncio.gather(t.act('a', 1, exc=ValueError('a')), t.act('b', 1, exc=ValueError('b'))))
  await t.attempt(
    "main:gather",
    gather([
      () => t.act("a", 1, null, valueError("a")),
      () => t.act("b", 1, null, valueError("b")),
    ]),
  );
});

scenario("gather.nested", async (t) => {
  // t('main:result', await asyncio.gather(asyncio.gather(t.act('a', 2, 1), t.act('b', 1, 2)), t.act('c', 1, 3)))
  t(
    "main:result",
    await gather([
      gather([() => t.act("a", 2, 1), () => t.act("b", 1, 2)]),
      () => t.act("c", 1, 3),
    ]),
  );
});

scenario("gather.done_inputs", async (t) => {
  // f = asyncio.get_running_loop().create_future()
  const f = getRunningLoop().createFuture<string>();
  // f.set_result('F')
  f.setResult("F");
  // k = mk(sleep(0, 'K'))
  const k = createTask(() => sleep(0, { value: "K" }));
  // await k
  await k;
  // t('main:result', await asyncio.gather(f, k))
  t("main:result", await gather([f, k]));
});

scenario("gather.error_then_cancel_rest", async (t) => {
  // ks = [mk(t.act('a', 1, exc=ValueError('a'))), mk(t.act('b', 5)), mk(t.act('c', 6))]
  const ks = [
    createTask(() => t.act("a", 1, null, valueError("a"))),
    createTask(() => t.act("b", 5)),
    createTask(() => t.act("c", 6)),
  ];
  // await t.attempt('main:gather', asyncio.gather(*ks))
  await t.attempt("main:gather", gather(ks));
  // for k in ks[1:]: t('main:cancel', k.cancel())
  for (const k of ks.slice(1)) t("main:cancel", k.cancel());
  // t('main:rest', await asyncio.gather(*ks, return_exceptions=True))
  t("main:rest", await gather(ks, { returnExceptions: true }));
});

scenario("gather.cancel_done", async (t) => {
  // g = asyncio.gather(t.act('a', 1, 'A'))
  const g = gather([() => t.act("a", 1, "A")]);
  // await g
  await g;
  // t('main:cancel', g.cancel())
  t("main:cancel", g.cancel());
  // t('main:res', g.result())
  t("main:res", g.result());
});
