import { getRunningLoop } from "@ilmek/async/loop";
import { shield } from "@ilmek/async/shield";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { scenario, valueError } from "./harness.ts";

scenario("shield.outer_cancel", async (t) => {
  // k = mk(t.act('a', 3, 'A'))
  const k = createTask(() => t.act("a", 3, "A"));
  // async def f(): await asyncio.shield(k)
  const f = async () => {
    await shield(k);
  };
  // w = mk(f())
  const w = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // w.cancel()
  w.cancel();
  // await t.attempt('main:w', w)
  await t.attempt("main:w", w);
  // t('main:k', k.cancelled(), await k)
  t("main:k", k.cancelled, await k);
});

scenario("shield.inner_cancel", async (t) => {
  // k = mk(t.act('a', 3))
  const k = createTask(() => t.act("a", 3));
  // asyncio.get_running_loop().call_later(1, k.cancel)
  getRunningLoop().callLater(1000, () => k.cancel());
  // await t.attempt('main:r', asyncio.shield(k))
  await t.attempt("main:r", shield(k));
});

scenario("shield.late_error", async (t) => {
  // s = asyncio.shield(t.act('a', 2, exc=ValueError('a')))
  const s = shield(() => t.act("a", 2, null, valueError("a")));
  // await sleep(1)
  await sleep(1000);
  // s.cancel()
  s.cancel();
  // await t.attempt('main:s', s)
  await t.attempt("main:s", s);
  // await sleep(3)
  await sleep(3000);
  // gc.collect()
  // await sleep(1)
  await sleep(1000);
}, { deviation: 5 });
