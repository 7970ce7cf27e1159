import { ContextVar, copyContext } from "@ilmek/async/context-var";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { scenario } from "./harness.ts";
import { fut } from "./helpers.ts";

const V = new ContextVar("V", { defaultValue: "none" });

scenario("ctx.direct_await", async (t) => {
  // V.set('p')
  V.set("p");
  // async def f(): V.set('c')
  const f = () => {
    V.set("c");
    return Promise.resolve();
  };
  // await f()
  await f();
  // t('main:v', V.get())
  t("main:v", V.get());
});

scenario("ctx.call_soon", async (t) => {
  // V.set('a')
  V.set("a");
  // L().call_soon(lambda: t('soon:v', V.get()))
  getRunningLoop().callSoon(() => t("soon:v", V.get()));
  // L().call_later(1, lambda: t('later:v', V.get()))
  getRunningLoop().callLater(1000, () => t("later:v", V.get()));
  // V.set('b')
  V.set("b");
  // await sleep(2)
  await sleep(2000);
});

scenario("ctx.callback_isolated", async (t) => {
  // V.set('a')
  V.set("a");
  // f = fut()
  const f = fut<number>();
  // f.add_done_callback(lambda _: t('cb:v', V.get()))
  f.addDoneCallback(() => t("cb:v", V.get()));
  // V.set('b')
  V.set("b");
  // f.set_result(1)
  f.setResult(1);
  // await sleep(0)
  await sleep(0);
  // t('main:v', V.get())
  t("main:v", V.get());
});

scenario("ctx.explicit", async (t) => {
  // c = contextvars.copy_context()
  const c = copyContext();
  // c.run(V.set, 'X')
  c.run(() => V.set("X"));
  // async def f():
  const f = () => {
    // t('f:v', V.get())
    t("f:v", V.get());
    // V.set('Y')
    V.set("Y");
  };
  // await mk(f(), context=c)
  const k = createTask(f, { context: c });
  await k;
  // t('main:v', V.get(), c[V])
  t("main:v", V.get(), c.get(V));
});

scenario("ctx.token_reset", async (t) => {
  // k = V.set('a')
  const k = V.set("a");
  // V.set('b')
  V.set("b");
  // V.reset(k)
  V.reset(k);
  // t('main:v', V.get())
  t("main:v", V.get());
  // async def f(): t.tryit('f:e', V.reset, k2)
  const f = () => {
    t.tryIt("f:e", () => V.reset(k2));
  };
  // k2 = V.set('z')
  const k2 = V.set("z");
  // await mk(f())
  const task = createTask(f);
  await task;
  // t.tryit('main:twice', lambda: (V.reset(k2), V.reset(k2)))
  t.tryIt("main:twice", () => [V.reset(k2), V.reset(k2)]);
});

scenario("ctx.unset", (t) => {
  // u = contextvars.ContextVar('u')
  const u = new ContextVar<string>("u");
  // t.tryit('main:e', u.get)
  t.tryIt("main:e", () => u.get());
  // t('main:d', u.get('d'))
  t("main:d", u.get("d"));
});

scenario("ctx.taskgroup", async (t) => {
  // async def f(n): t(f'{n}:v', V.get())
  const f = (n: string) => t(`${n}:v`, V.get());
  // async with asyncio.TaskGroup() as g:
  await TaskGroup.run((g) => {
    // V.set('1')
    V.set("1");
    // g.create_task(f('a'))
    g.createTask(() => f("a"));
    // V.set('2')
    V.set("2");
    // g.create_task(f('b'))
    g.createTask(() => f("b"));
  });
});

scenario("ctx.nested_tasks", async (t) => {
  // V.set('g')
  V.set("g");
  // async def gc_(): t('gc:v', V.get())
  const gc = () => t("gc:v", V.get());
  // async def c():
  const c = async () => {
    // V.set('c')
    V.set("c");
    // await mk(gc_())
    const grandchild = createTask(gc);
    await grandchild;
  };
  // await mk(c())
  const child = createTask(c);
  await child;
});
