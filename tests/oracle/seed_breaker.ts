import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { Example11, Example11Breaker } from "./guide_breaker.ts";
import { scenario, type Tracer, valueError } from "./harness.ts";

/** `_cb` of the reference: one call, and what the breaker is like after it. */
async function cb(
  t: Tracer,
  c: Example11Breaker,
  ok: number,
  name: string,
): Promise<void> {
  const svc = () =>
    ok === 1 ? Promise.resolve("ok") : Promise.reject(valueError("svc"));
  try {
    t(`${name}:`, await c.call(svc), c.state, c.failureCount);
  } catch (error) {
    const { name: kind } = error as Error;
    t(`${name}:`, { error: kind }, c.state, c.failureCount);
  }
}

scenario("seed.ex11_example", async (t) => {
  // m = ex(11, t, skew=0.0001); await m.circuit_breaker_example()
  await new Example11(t, 0.0001).circuitBreakerExample();
});

scenario("seed.ex11_no_reset", async (t) => {
  // c = ex(11, t).CircuitBreaker(3, 5.0)
  const c = new Example11Breaker(new Example11(t), 3, 5);
  // for i, ok in enumerate((0, 1, 1, 0, 1, 0)): await _cb(t, c, ok, f'c{i}'); await sleep(1)
  for (const [i, ok] of [0, 1, 1, 0, 1, 0].entries()) {
    await cb(t, c, ok, `c${i}`);
    await sleep(1000);
  }
});

scenario("seed.ex11_half_open_fail", async (t) => {
  // c = ex(11, t).CircuitBreaker(2, 5.0)
  const c = new Example11Breaker(new Example11(t), 2, 5);
  // for i, (d, ok) in enumerate(((0, 0), (0, 0), (1, 1), (4, 0), (4, 1), (1, 1))): await sleep(d); await _cb(t, c, ok, f'c{i}')
  const calls = [[0, 0], [0, 0], [1, 1], [4, 0], [4, 1], [1, 1]] as const;
  for (const [i, [d, ok]] of calls.entries()) {
    await sleep(d * 1000);
    await cb(t, c, ok, `c${i}`);
  }
});

scenario("seed.ex11_late_success", async (t) => {
  // c = ex(11, t).CircuitBreaker(1, 2.0)
  const c = new Example11Breaker(new Example11(t), 1, 2);
  // async def ok(d): await sleep(d); return 'late'
  const ok = (d: number) => sleep(d * 1000, { value: "late" });
  // async def bad(d): await sleep(d); raise ValueError('b')
  const bad = async (d: number) => {
    await sleep(d * 1000);
    throw valueError("b");
  };
  // a = mk(c.call(ok, 3))
  const a = createTask(() => c.call(() => ok(3)));
  // await t.attempt('m:b', c.call(bad, 0))
  await t.attempt("m:b", c.call(() => bad(0)));
  // await sleep(2)
  await sleep(2000);
  // p = mk(c.call(bad, 5))
  const p = createTask(() => c.call(() => bad(5)));
  // await sleep(0.5)
  await sleep(500);
  // t('m:', c.state.value)
  t("m:", c.state);
  // await a
  await a;
  // t('m:', c.state.value, c.failure_count)
  t("m:", c.state, c.failureCount);
  // await t.attempt('m:p', p)
  await t.attempt("m:p", p);
  // t('m:', c.state.value)
  t("m:", c.state);
});

scenario("seed.ex11_cancel", async (t) => {
  // c = ex(11, t).CircuitBreaker(1, 5.0)
  const c = new Example11Breaker(new Example11(t), 1, 5);
  // async def f(): await sleep(9)
  const f = () => sleep(9000);
  // k = mk(c.call(f))
  const k = createTask(() => c.call(f));
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('k:', k)
  await t.attempt("k:", k);
  // t('main:', c.state.value, c.failure_count)
  t("main:", c.state, c.failureCount);
});
