import { asCompleted } from "@ilmek/async/as-completed";
import { createTask, type Task } from "@ilmek/async/task";
import { scenario, valueError } from "./harness.ts";

scenario("as_completed.error", async (t) => {
  // for c in asyncio.as_completed([mk(t.act('a', 3, 'A')), mk(t.act('b', 1, exc=ValueError('b')))]): await t.attempt('main:got', c)
  for (
    const c of asCompleted<Task<unknown>>([
      createTask(() => t.act("a", 3, "A")),
      createTask(() => t.act("b", 1, null, valueError("b"))),
    ])
  ) await t.attempt("main:got", c);
});

scenario("as_completed.timeout", async (t) => {
  // k = [mk(t.act('a', 3, 'A')), mk(t.act('b', 1, 'B'))]
  const k = [
    createTask(() => t.act("a", 3, "A")),
    createTask(() => t.act("b", 1, "B")),
  ] as const;
  // for c in asyncio.as_completed(k, timeout=2): await t.attempt('main:got', c)
  for (const c of asCompleted(k, { timeoutMs: 2000 })) {
    await t.attempt("main:got", c);
  }
  // t('main:a', await k[0])
  t("main:a", await k[0]);
});

scenario("as_completed.same_tick", async (t) => {
  // ks = [mk(t.act(n, 1, n)) for n in 'abcd']
  const ks = [..."abcd"].map((n) => createTask(() => t.act(n, 1, n)));
  // for c in asyncio.as_completed(ks): t('main:got', await c)
  for (const c of asCompleted(ks)) t("main:got", await c);
});

scenario("as_completed.async_iter", async (t) => {
  // ks = [mk(t.act('a', 2, 'A'), name='a'), mk(t.act('b', 1, 'B'), name='b')]
  const ks: unknown[] = [
    createTask(() => t.act("a", 2, "A"), { name: "a" }),
    createTask(() => t.act("b", 1, "B"), { name: "b" }),
  ];
  // async for k in asyncio.as_completed(ks): t('main:got', k.get_name(), k in ks, await k)
  for await (const k of asCompleted(ks as Task<string>[])) {
    t("main:got", k.name, ks.includes(k), await k);
  }
});

scenario("as_completed.early_break", async (t) => {
  // ks = [mk(t.act('a', 3, 'A')), mk(t.act('b', 1, 'B'))]
  const ks = [
    createTask(() => t.act("a", 3, "A")),
    createTask(() => t.act("b", 1, "B")),
  ] as const;
  // for c in asyncio.as_completed(ks):
  for (const c of asCompleted(ks)) {
    // t('main:got', await c)
    t("main:got", await c);
    // break
    break;
  }
  // t('main:pending', ks[0].done())
  t("main:pending", ks[0].done);
  // await ks[0]
  await ks[0];
});
