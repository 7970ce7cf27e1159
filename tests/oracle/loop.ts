import { ContextVar } from "@ilmek/async/context-var";
import { gather } from "@ilmek/async/gather";
import { getRunningLoop, type Handle } from "@ilmek/async/loop";
import { Runner } from "@ilmek/async/runner";
import { sleep } from "@ilmek/async/sleep";
import { createTask, type Task } from "@ilmek/async/task";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { toThread } from "@ilmek/async/worker";
import { scenario, valueError } from "./harness.ts";
import { fut } from "./helpers.ts";

scenario("loop.call_soon", async (t) => {
  // for i in range(3): L().call_soon(t, f'cb:{i}', i)
  for (let i = 0; i < 3; i++) getRunningLoop().callSoon(t, `cb:${i}`, i);
  // t('main:sync')
  t("main:sync");
  // await sleep(0)
  await sleep(0);
  // t('main:after')
  t("main:after");
});

scenario("loop.call_later", async (t) => {
  // for d in (3, 1, 2): L().call_later(d, t, f'cb:{d}')
  for (const d of [3, 1, 2]) getRunningLoop().callLater(d * 1000, t, `cb:${d}`);
  // await sleep(4)
  await sleep(4000);
  // t('main:after')
  t("main:after");
});

scenario("loop.call_later_same", async (t) => {
  // for i in range(6): L().call_later(1, t, f'cb:{i}')
  for (let i = 0; i < 6; i++) getRunningLoop().callLater(1000, t, `cb:${i}`);
  // await sleep(2)
  await sleep(2000);
});

scenario("loop.call_at", async (t) => {
  const loop = getRunningLoop();
  // L().call_soon(t, 'cb:soon')
  loop.callSoon(t, "cb:soon");
  // L().call_later(1, t, 'cb:1')
  loop.callLater(1000, t, "cb:1");
  // L().call_later(2, t, 'cb:2')
  loop.callLater(2000, t, "cb:2");
  // L().call_at(L().time() + 3, t, 'cb:at3')
  loop.callAt(loop.time() + 3000, t, "cb:at3");
  // await sleep(4)
  await sleep(4000);
  // t('main:end')
  t("main:end");
});

scenario("loop.cancel_handle", async (t) => {
  // a = L().call_soon(t, 'cb:a')
  const a = getRunningLoop().callSoon(t, "cb:a");
  // b = L().call_later(1, t, 'cb:b')
  const b = getRunningLoop().callLater(1000, t, "cb:b");
  // L().call_later(1, t, 'cb:c')
  getRunningLoop().callLater(1000, t, "cb:c");
  // a.cancel()
  a.cancel();
  // b.cancel()
  b.cancel();
  // t('main:c', a.cancelled(), b.cancelled())
  t("main:c", a.cancelled, b.cancelled);
  // a.cancel()
  a.cancel();
  // await sleep(2)
  await sleep(2000);
});

scenario("loop.later_zero", async (t) => {
  // L().call_later(0, t, 'cb:later0')
  getRunningLoop().callLater(0, t, "cb:later0");
  // L().call_soon(t, 'cb:soon')
  getRunningLoop().callSoon(t, "cb:soon");
  // await sleep(1)
  await sleep(1000);
});

scenario("loop.cancel_in_same_turn", async (t) => {
  // h = []
  const h: Handle[] = [];
  // def a():
  const a = () => {
    // t('cb:a')
    t("cb:a");
    // h[0].cancel()
    h[0]?.cancel();
  };
  // L().call_soon(a)
  getRunningLoop().callSoon(a);
  // h.append(L().call_soon(t, 'cb:b'))
  h.push(getRunningLoop().callSoon(t, "cb:b"));
  // L().call_soon(t, 'cb:c')
  getRunningLoop().callSoon(t, "cb:c");
  // await sleep(0)
  await sleep(0);
});

scenario("loop.time", async (t) => {
  // a = L().time()
  const a = getRunningLoop().time();
  // await sleep(1.5)
  await sleep(1500);
  // t('main:d', L().time() - a)
  t("main:d", (getRunningLoop().time() - a) / 1000);
});

scenario("loop.sleep_zero_vs_timer", async (t) => {
  // L().call_later(0, t, 'cb:timer')
  getRunningLoop().callLater(0, t, "cb:timer");
  // await sleep(0)
  await sleep(0);
  // t('main:1')
  t("main:1");
  // await sleep(0)
  await sleep(0);
  // t('main:2')
  t("main:2");
});

scenario("loop.sleep_result", async (t) => {
  // t('main:r', await sleep(1, 'R'), await sleep(-1, 'N'))
  t(
    "main:r",
    await sleep(1000, { value: "R" }),
    await sleep(-1000, { value: "N" }),
  );
}, { deviation: 11 });

// What stands for `stop` is that the run is cancelled. A task can be created only
// inside of a run.
scenario("loop.stop_before_done", async (t) => {
  // l = VirtualLoop()
  await using runner = new Runner({ loopFactory: () => t.virtual.loop });
  const tasks: Task<void>[] = [];
  // l.call_later(1, l.stop)
  runner.loop.callLater(1000, () => runner.cancel());
  // c = sleep(5)
  const c = () => sleep(5000);
  // k = l.create_task(c)
  // t.tryit('main:e', l.run_until_complete, k)
  await t.attempt(
    "main:e",
    runner.run(async () => {
      const k = createTask(c);
      tasks.push(k);
      await k;
    }),
  );
  for (const k of tasks) {
    // t('main:k', k.done())
    t("main:k", k.done);
    // k.cancel()
    k.cancel();
    // t.tryit('main:k2', l.run_until_complete, k)
    await t.attempt("main:k2", runner.run(() => k));
  }
  // l.close()
}, { deviation: 9, outside: true });

// What stands for `run_forever` is a run that waits until it is cancelled.
scenario("loop.run_forever_stop", async (t) => {
  // l = VirtualLoop()
  await using runner = new Runner({ loopFactory: () => t.virtual.loop });
  const { loop } = runner;
  // l.call_soon(lambda: (t('cb:a'), l.stop()))
  loop.callSoon(() => {
    t("cb:a");
    runner.cancel();
  });
  // l.call_soon(t, 'cb:b')
  loop.callSoon(t, "cb:b");
  // l.call_later(1, t, 'cb:later')
  loop.callLater(1000, t, "cb:later");
  // l.run_forever()
  // t('main:stopped')
  await t.attempt("main:stopped", runner.run(() => sleep(Infinity)));
  // l.call_later(2, l.stop)
  loop.callLater(2000, () => runner.cancel());
  // l.run_forever()
  // t('main:stopped2')
  await t.attempt("main:stopped2", runner.run(() => sleep(Infinity)));
  // l.close()
}, { deviation: 9, outside: true });

scenario("loop.nested_run", async (t) => {
  // c = sleep(0)
  const c = () => sleep(0);
  // t.tryit('main:e', asyncio.run, c)
  await t.attempt("main:e", new Runner().run(c));
  // c.close()
  // A function that was not called needs no closing.
  // t.tryit('main:e2', L().run_until_complete, fut())
  const runner = new Runner({ loopFactory: getRunningLoop });
  await t.attempt("main:e2", runner.run(() => fut()));
});

scenario("loop.no_running", async (t) => {
  // t.tryit('main:e', asyncio.get_running_loop)
  t.tryIt("main:e", getRunningLoop);
  // c = sleep(0)
  const c = () => sleep(0);
  // t.tryit('main:t', asyncio.create_task, c)
  const made = t.tryIt("main:t", () => createTask(c));
  // c.close()
  // Here it is a task, and runs to its end.
  await made;
}, { deviation: 9, outside: true });

scenario("loop.run_cancels_leftovers", async (t) => {
  // async def f(n):
  const f = async (n: string) => {
    try {
      // try: await sleep(100)
      await sleep(100_000);
    } finally {
      // finally: t(f'{n}:cleanup')
      t(`${n}:cleanup`);
      // await sleep(1)
      await uncancellable(() => sleep(1000));
      // t(f'{n}:cleaned')
      t(`${n}:cleaned`);
    }
  };
  // mk(f('a'))
  createTask(() => f("a"));
  // mk(f('b'))
  createTask(() => f("b"));
  // await sleep(1)
  await sleep(1000);
  // t('main:return')
  t("main:return");
});

scenario("loop.run_non_coroutine", async (t) => {
  // t.tryit('main:e', asyncio.run, 42)
  await t.attempt("main:e", new Runner().run(42 as never));
}, { outside: true });

scenario("loop.exception_context", async (t) => {
  // def h(l, c):
  // t('h:', sorted(k for k in c if k in ('message', 'exception', 'handle', 'future', 'task')), c.get('exception'))
  const known = ["message", "exception", "handle", "future", "task"];
  // L().set_exception_handler(h)
  getRunningLoop().exceptionHandler = (c) => {
    const keys = Object.keys(c).filter((k) => known.includes(k));
    t("h:", keys.sort(), c.exception);
  };
  // def bad(): raise ValueError('cb')
  const bad = () => {
    throw valueError("cb");
  };
  // L().call_soon(bad)
  getRunningLoop().callSoon(bad);
  // await sleep(0)
  await sleep(0);
});

scenario("loop.wakeup_interleave", async (t) => {
  // a, b = fut(), fut()
  const [a, b] = [fut<number>(), fut<number>()];
  // async def x():
  const x = async () => {
    // await a
    await a;
    // t('x:woke')
    t("x:woke");
    // b.set_result(1)
    b.setResult(1);
  };
  // async def y():
  const y = async () => {
    // await b
    await b;
    // t('y:woke')
    t("y:woke");
  };
  // ks = [mk(y()), mk(x())]
  const ks = [createTask(y), createTask(x)];
  // await sleep(0)
  await sleep(0);
  // a.set_result(1)
  a.setResult(1);
  // for i in range(4):
  for (let i = 0; i < 4; i++) {
    // t(f'main:{i}')
    t(`main:${i}`);
    // await sleep(0)
    await sleep(0);
  }
  // await asyncio.gather(*ks)
  await gather(ks);
});

scenario("loop.to_thread", async (t) => {
  // v = contextvars.ContextVar('v')
  const v = new ContextVar<string>("v");
  // v.set('ctx')
  v.set("ctx");
  // t('main:r', await asyncio.to_thread(lambda a, b=0: [a, b, v.get()], 1, b=2))
  t("main:r", await toThread((a, b = 0) => [a, b, v.get()], 1, 2));
}, { deviation: 12 });

// Nothing calls into a loop from another thread: a plain task stands for it.
scenario("loop.threadsafe", async (t) => {
  // l = L()
  const l = getRunningLoop();
  // out = []
  const out: string[] = [];
  // async def f(): return 'R'
  const f = () => Promise.resolve("R");
  // def th(): out.append(asyncio.run_coroutine_threadsafe(f(), l).result(5))
  const th = async () => {
    out.push(await timeout(5000, () => l.createTask(f)));
  };
  // await l.run_in_executor(None, th)
  await toThread(th);
  // t('main:r', out)
  t("main:r", out);
}, { deviation: 12 });
