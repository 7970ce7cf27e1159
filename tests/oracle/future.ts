import { gather } from "@ilmek/async/gather";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { scenario, valueError } from "./harness.ts";
import { fut } from "./helpers.ts";

scenario("future.set_twice", (t) => {
  // f = fut()
  const f = fut<number>();
  // f.set_result(1)
  f.setResult(1);
  // t.tryit('main:r', f.set_result, 2)
  t.tryIt("main:r", () => f.setResult(2));
  // t.tryit('main:e', f.set_exception, ValueError('x'))
  t.tryIt("main:e", () => f.setException(valueError("x")));
  // t('main:v', f.result())
  t("main:v", f.result());
});

scenario("future.callbacks", async (t) => {
  // f = fut()
  const f = fut<string>();
  // for i in range(3): f.add_done_callback(lambda f, i=i: t(f'cb:{i}', f.result()))
  for (let i = 0; i < 3; i++) {
    f.addDoneCallback((f) => t(`cb:${i}`, f.result()));
  }
  // f.set_result('v')
  f.setResult("v");
  // t('main:set')
  t("main:set");
  // await sleep(0)
  await sleep(0);
  // t('main:end')
  t("main:end");
});

scenario("future.waiters_order", async (t) => {
  // f = fut()
  const f = fut<number>();
  // async def w(n):
  const w = async (n: string) => {
    // t(f'{n}:wait')
    t(`${n}:wait`);
    // t(f'{n}:got', await f)
    t(`${n}:got`, await f);
  };
  // ks = [mk(w(n)) for n in 'abc']
  const ks = [..."abc"].map((n) => createTask(() => w(n)));
  // await sleep(1)
  await sleep(1000);
  // f.set_result(1)
  f.setResult(1);
  // t('main:set')
  t("main:set");
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("future.await_done", async (t) => {
  // f = fut()
  const f = fut<number>();
  // f.set_result(1)
  f.setResult(1);
  // k = mk(t.act('k', 0))
  const k = createTask(() => t.act("k", 0));
  // t('main:r', await f)
  t("main:r", await f);
  // t('main:after')
  t("main:after");
  // await k
  await k;
});
