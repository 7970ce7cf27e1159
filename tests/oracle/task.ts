import { isCancelled } from "@ilmek/async/errors";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask } from "@ilmek/async/task";
import { uncancellable } from "@ilmek/async/uncancellable";
import { scenario, valueError } from "./harness.ts";

scenario("task.name", async (t) => {
  // a = mk(sleep(0))
  const a = createTask(() => sleep(0));
  // b = mk(sleep(0), name='bee')
  const b = createTask(() => sleep(0), { name: "bee" });
  // t('main:default', bool(re.fullmatch(r'Task-\d+', a.get_name())))
  t("main:default", /^Task-\d+$/.test(a.name));
  // t('main:b', b.get_name())
  t("main:b", b.name);
  // b.set_name('cee')
  b.name = "cee";
  // t('main:c', b.get_name())
  t("main:c", b.name);
  // await a
  await a;
  // await b
  await b;
});

scenario("task.states", async (t) => {
  // k = mk(t.act('a', 1, 'A'))
  const k = createTask(() => t.act("a", 1, "A"));
  // t('main:0', k.done(), k.cancelled())
  t("main:0", k.done, k.cancelled);
  // await sleep(0)
  await sleep(0);
  // t('main:1', k.done())
  t("main:1", k.done);
  // await k
  await k;
  // t('main:2', k.done(), k.cancelled(), k.result(), k.exception())
  t("main:2", k.done, k.cancelled, k.result(), k.exception());
});

scenario("task.result_before_done", async (t) => {
  // k = mk(t.act('a', 1))
  const k = createTask(() => t.act("a", 1));
  // t.tryit('main:r', k.result)
  t.tryIt("main:r", () => k.result());
  // t.tryit('main:e', k.exception)
  t.tryIt("main:e", () => k.exception());
  // await k
  await k;
});

scenario("task.callbacks_order", async (t) => {
  // k = mk(t.act('a', 1))
  const k = createTask(() => t.act("a", 1));
  // for i in range(3): k.add_done_callback(lambda f, i=i: t(f'cb:{i}', f.done()))
  for (let i = 0; i < 3; i++) k.addDoneCallback((f) => t(`cb:${i}`, f.done));
  // await k
  await k;
  // t('main:after')
  t("main:after");
  // await sleep(0)
  await sleep(0);
  // t('main:after2')
  t("main:after2");
});

scenario("task.callback_raises", async (t) => {
  // k = mk(sleep(1))
  const k = createTask(() => sleep(1000));
  // def bad(f):
  const bad = () => {
    // t('cb:bad')
    t("cb:bad");
    // raise ValueError('cb')
    throw valueError("cb");
  };
  // k.add_done_callback(bad)
  k.addDoneCallback(bad);
  // k.add_done_callback(lambda f: t('cb:good'))
  k.addDoneCallback(() => t("cb:good"));
  // await k
  await k;
  // await sleep(0)
  await sleep(0);
});

scenario("task.cancel_before_start", async (t) => {
  // k = mk(t.act('a', 1))
  const k = createTask(() => t.act("a", 1));
  // t('main:cancel', k.cancel(), k.cancelled(), k.done())
  t("main:cancel", k.cancel(), k.cancelled, k.done);
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled())
  t("main:c", k.cancelled);
});

scenario("task.cancel_delivery", async (t) => {
  // k = mk(t.act('a', 9))
  const k = createTask(() => t.act("a", 9));
  // await sleep(1)
  await sleep(1000);
  // t('main:cancel', k.cancel(), k.done())
  t("main:cancel", k.cancel(), k.done);
  // await sleep(0)
  await sleep(0);
  // t('main:one', k.done())
  t("main:one", k.done);
  // await sleep(0)
  await sleep(0);
  // t('main:two', k.done(), k.cancelled())
  t("main:two", k.done, k.cancelled);
});

scenario("task.cancel_cleanup", async (t) => {
  // async def f():
  const f = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } catch (error) {
      // except Cancelled:
      if (!isCancelled(error)) throw error;
      // t('f:c')
      t("f:c");
      // await sleep(1)
      await uncancellable(() => sleep(1000));
      // t('f:cleaned')
      t("f:cleaned");
      // raise
      throw error;
    } finally {
      // finally: await sleep(1)
      await uncancellable(() => sleep(1000));
      // t('f:finally')
      t("f:finally");
    }
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled())
  t("main:c", k.cancelled);
});

scenario("task.uncancel", async (t) => {
  // async def f():
  const f = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } catch (error) {
      // except Cancelled:
      if (!isCancelled(error)) throw error;
      // t('f:c', asyncio.current_task().cancelling(), asyncio.current_task().uncancel())
      // Nothing takes a cancellation back, so there is one value less.
      t("f:c", Number(currentTask()?.cancelling));
    }
    // await sleep(1)
    await sleep(1000);
    // return 'F'
    return "F";
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled(), k.cancelling())
  t("main:c", k.cancelled, Number(k.cancelling));
}, { deviation: 2 });

scenario("task.cancel_done", async (t) => {
  // k = mk(sleep(0, 'A'))
  const k = createTask(() => sleep(0, { value: "A" }));
  // await k
  await k;
  // t('main:c', k.cancel(), k.cancelled(), k.result())
  t("main:c", k.cancel(), k.cancelled, k.result());
});

scenario("task.swallow_cancel", async (t) => {
  // async def f():
  const f = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } catch (error) {
      // except Cancelled: return 'F'
      if (!isCancelled(error)) throw error;
      return "F";
    }
    return undefined;
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled(), k.cancelling())
  t("main:c", k.cancelled, Number(k.cancelling));
});

scenario("task.cancel_becomes_error", async (t) => {
  // async def f():
  const f = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } catch (error) {
      // except Cancelled: raise ValueError('conv')
      if (!isCancelled(error)) throw error;
      throw valueError("conv");
    }
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled())
  t("main:c", k.cancelled);
});

scenario("task.self_cancel", async (t) => {
  // async def f():
  const f = async () => {
    // asyncio.current_task().cancel()
    currentTask()?.cancel();
    // t('f:still')
    t("f:still");
    // await sleep(0)
    await sleep(0);
    // t('f:never')
    t("f:never");
  };
  // await t.attempt('main:k', mk(f()))
  await t.attempt("main:k", createTask(f));
});

scenario("task.await_self", async (t) => {
  // async def f(): await asyncio.current_task()
  const f = async () => {
    await currentTask();
  };
  // await t.attempt('main:k', mk(f()))
  await t.attempt("main:k", createTask(f));
});

scenario("task.waiter_cancel_propagates", async (t) => {
  // k = mk(t.act('a', 9))
  const k = createTask(() => t.act("a", 9));
  // async def w(): await k
  const w = async () => {
    await k;
  };
  // w1 = mk(w())
  const w1 = createTask(w);
  // await sleep(1)
  await sleep(1000);
  // w1.cancel()
  w1.cancel();
  // await t.attempt('main:w', w1)
  await t.attempt("main:w", w1);
  // t('main:k', k.cancelled())
  t("main:k", k.cancelled);
});

scenario("task.child_cancel_not_parent", async (t) => {
  // k = mk(t.act('a', 9))
  const k = createTask(() => t.act("a", 9));
  // asyncio.get_running_loop().call_later(1, k.cancel)
  getRunningLoop().callLater(1000, () => k.cancel());
  try {
    // try: await k
    await k;
  } catch (error) {
    // except Cancelled: t('main:caught', asyncio.current_task().cancelling())
    if (!isCancelled(error)) throw error;
    t("main:caught", Number(currentTask()?.cancelling));
  }
  // await sleep(1)
  await sleep(1000);
  // t('main:alive')
  t("main:alive");
});

scenario("task.never_retrieved", async (t) => {
  // k = mk(t.act('a', 1, exc=ValueError('lost')))
  createTask(() => t.act("a", 1, null, valueError("lost")));
  // await sleep(2)
  await sleep(2000);
  // del k
  // gc.collect()
  // Nothing holds the task here, and nothing makes the platform collect it.
  // await sleep(0)
  await sleep(0);
  // t('main:end')
  t("main:end");
}, { deviation: 5 });

scenario("task.round_robin", async (t) => {
  // async def f(n):
  const f = async (n: string) => {
    // for i in range(3):
    for (let i = 0; i < 3; i++) {
      // t(f'{n}:{i}')
      t(`${n}:${i}`);
      // await sleep(0)
      await sleep(0);
    }
  };
  // await asyncio.gather(f('a'), f('b'), f('c'))
  await gather([() => f("a"), () => f("b"), () => f("c")]);
});

scenario("task.no_yield_on_direct_await", async (t) => {
  // async def g():
  const g = () => {
    // t('g:run')
    t("g:run");
    // return 1
    return Promise.resolve(1);
  };
  // k = mk(t.act('b', 0))
  const k = createTask(() => t.act("b", 0));
  // t('main:r', await g())
  t("main:r", await g());
  // t('main:before_b')
  t("main:before_b");
  // await k
  await k;
});

scenario("task.result_vs_cancel", async (t) => {
  // async def q():
  const q = () => {
    // t('q:run')
    t("q:run");
    // return 'Q'
    return Promise.resolve("Q");
  };
  // k = mk(q())
  const k = createTask(q);
  // await sleep(0)
  await sleep(0);
  // t('main:c', k.cancel(), k.result())
  t("main:c", k.cancel(), k.result());
});

scenario("task.await_done_no_yield", async (t) => {
  // k = mk(sleep(0, 'K'))
  const k = createTask(() => sleep(0, { value: "K" }));
  // await k
  await k;
  // o = mk(t.act('o', 0))
  const o = createTask(() => t.act("o", 0));
  // t('main:r', await k)
  t("main:r", await k);
  // t('main:after')
  t("main:after");
  // await o
  await o;
});

scenario("task.non_coroutine", (t) => {
  // t.tryit('main:e', mk, 42)
  t.tryIt("main:e", () => createTask(42 as never));
});

scenario("task.finally_return_in_cancel", async (t) => {
  // async def f():
  const f = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } finally {
      // finally: return 'F'
      // deno-lint-ignore no-unsafe-finally -- that is what is tested
      return "F";
    }
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
});

scenario("task.loop_cancel", async (t) => {
  // async def f():
  const f = async () => {
    // for i in range(10):
    for (let i = 0; i < 10; i++) {
      // t(f'f:{i}')
      t(`f:${i}`);
      // await sleep(0.5)
      await sleep(500);
    }
  };
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1.9)
  await sleep(1900);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
});
