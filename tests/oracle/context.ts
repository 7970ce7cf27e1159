import {
  type AsyncContextManager,
  asyncContextManager,
  withContext,
} from "@ilmek/async/context-manager";
import { InvalidStateError } from "@ilmek/async/errors";
import { AsyncExitStack, ContextExitError } from "@ilmek/async/exit-stack";
import { sleep } from "@ilmek/async/sleep";
import { createTask } from "@ilmek/async/task";
import { keyError, scenario, type Tracer, valueError } from "./harness.ts";

/** What happens in a context manager of {@linkcode cm}. */
interface CmOptions {
  readonly enterExc?: Error;
  readonly exitExc?: Error;
  readonly suppress?: boolean;
  /** How long it takes to enter, and to leave, in seconds. */
  readonly d?: number;
}

/** A context manager that tells what happens to it. */
function cm(
  t: Tracer,
  n: string,
  options: CmOptions = {},
): AsyncContextManager<string> {
  const { enterExc, exitExc, suppress = false, d = 0 } = options;
  return {
    async enter() {
      t(`${n}:enter`);
      if (d) await sleep(d * 1000);
      if (enterExc) throw enterExc;
      return {
        value: n,
        async exit(failure) {
          t(`${n}:exit`, failure?.error ?? null);
          if (d) await sleep(d * 1000);
          if (exitExc) throw exitExc;
          return suppress;
        },
      };
    },
  };
}

/** The latest error first, then those that came before it. */
function chainOf(e: unknown): unknown[] {
  if (!(e instanceof ContextExitError)) throw e;
  return e.errors.toReversed();
}

scenario("cm.stack_order", async (t) => {
  // async with AsyncExitStack() as s:
  await AsyncExitStack.run(async (s) => {
    // for n in 'abc': t('main:v', await s.enter_async_context(cm(t, n)))
    for (const n of "abc") t("main:v", await s.enterAsyncContext(cm(t, n)));
    // t('main:body')
    t("main:body");
  });
  // t('main:end')
  t("main:end");
});

scenario("cm.stack_replace", async (t) => {
  // try:
  try {
    // async with AsyncExitStack() as s:
    await AsyncExitStack.run(async (s) => {
      // await s.enter_async_context(cm(t, 'a'))
      await s.enterAsyncContext(cm(t, "a"));
      // await s.enter_async_context(cm(t, 'b', exit_exc=KeyError('exit_b')))
      const exitExc = keyError("exit_b");
      await s.enterAsyncContext(cm(t, "b", { exitExc }));
      // raise ValueError('body')
      throw valueError("body");
    });
  } catch (e) {
    // except KeyError as e: t('main:e', e, e.__context__)
    t("main:e", ...chainOf(e));
  }
});

scenario("cm.stack_replace_chain", async (t) => {
  // try:
  try {
    // async with AsyncExitStack() as s:
    await AsyncExitStack.run(async (s) => {
      // await s.enter_async_context(cm(t, 'a', exit_exc=KeyError('ea')))
      await s.enterAsyncContext(cm(t, "a", { exitExc: keyError("ea") }));
      // await s.enter_async_context(cm(t, 'b', exit_exc=KeyError('eb')))
      await s.enterAsyncContext(cm(t, "b", { exitExc: keyError("eb") }));
      // raise ValueError('body')
      throw valueError("body");
    });
  } catch (e) {
    // except KeyError as e: t('main:e', e, e.__context__, e.__context__.__context__)
    t("main:e", ...chainOf(e));
  }
});

scenario("cm.stack_exit_error_suppressed", async (t) => {
  // async with AsyncExitStack() as s:
  await AsyncExitStack.run(async (s) => {
    // await s.enter_async_context(cm(t, 'a', suppress=True))
    await s.enterAsyncContext(cm(t, "a", { suppress: true }));
    // await s.enter_async_context(cm(t, 'b', exit_exc=KeyError('eb')))
    await s.enterAsyncContext(cm(t, "b", { exitExc: keyError("eb") }));
  });
  // t('main:end')
  t("main:end");
});

scenario("cm.stack_enter_fail", async (t) => {
  // try:
  try {
    // async with AsyncExitStack() as s:
    await AsyncExitStack.run(async (s) => {
      // await s.enter_async_context(cm(t, 'a'))
      await s.enterAsyncContext(cm(t, "a"));
      // await s.enter_async_context(cm(t, 'b', enter_exc=ValueError('enter')))
      await s.enterAsyncContext(cm(t, "b", { enterExc: valueError("enter") }));
    });
  } catch (e) {
    // except ValueError as e: t('main:e', e)
    t("main:e", e);
  }
});

scenario("cm.stack_aclose", async (t) => {
  // s = AsyncExitStack()
  const s = new AsyncExitStack();
  // await s.enter_async_context(cm(t, 'a'))
  await s.enterAsyncContext(cm(t, "a"));
  // await s.aclose()
  await s.aclose();
  // t('main:closed')
  t("main:closed");
  // await s.aclose()
  await s.aclose();
});

scenario("cm.with_suppress", async (t) => {
  // async with cm(t, 'a', suppress=True): raise ValueError('x')
  await withContext(cm(t, "a", { suppress: true }), () => {
    throw valueError("x");
  });
  // t('main:end')
  t("main:end");
});

scenario("cm.nested", async (t) => {
  // try:
  try {
    // async with cm(t, 'a'), cm(t, 'b'): raise ValueError('x')
    await withContext(cm(t, "a"), () =>
      withContext(cm(t, "b"), () => {
        throw valueError("x");
      }));
  } catch (e) {
    // except ValueError as e: t('main:e', e)
    t("main:e", e);
  }
});

scenario("cm.cancel_body", async (t) => {
  // async def f():
  const f = () =>
    // async with cm(t, 'a', d=1): t('f:body'); await sleep(9)
    withContext(cm(t, "a", { d: 1 }), async () => {
      t("f:body");
      await sleep(9000);
    });
  // k = mk(f())
  const k = createTask(f);
  // await sleep(2)
  await sleep(2000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
});

scenario("cm.cancel_in_enter", async (t) => {
  // async def f():
  const f = () =>
    // async with cm(t, 'a', d=5): t('f:never')
    withContext(cm(t, "a", { d: 5 }), () => t("f:never"));
  // k = mk(f())
  const k = createTask(f);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
});

scenario("cm.cancel_in_exit", async (t) => {
  // async def f():
  const f = () =>
    // async with cm(t, 'a', d=2): t('f:body')
    withContext(cm(t, "a", { d: 2 }), () => t("f:body"));
  // k = mk(f())
  const k = createTask(f);
  // await sleep(3)
  await sleep(3000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
}, { deviation: 2 });

scenario("cm.gen_suppress", async (t) => {
  // @asynccontextmanager
  // async def r():
  const r = asyncContextManager(async function* () {
    // try: yield
    try {
      yield;
    } catch {
      // except ValueError: t('r:swallow')
      t("r:swallow");
    }
  });
  // async with r(): raise ValueError('x')
  await r().use(() => {
    throw valueError("x");
  });
  // t('main:end')
  t("main:end");
});

scenario("cm.gen_no_yield", async (t) => {
  // @asynccontextmanager
  // async def r():
  // if False: yield
  const r = asyncContextManager(async function* () {});
  // try:
  try {
    // async with r(): t('main:never')
    await r().use(() => t("main:never"));
  } catch (e) {
    // except RuntimeError as e: t('main:e', e)
    if (!(e instanceof InvalidStateError)) throw e;
    t("main:e", e);
  }
});

scenario("cm.gen_two_yields", async (t) => {
  // @asynccontextmanager
  // async def r(): yield 1; yield 2
  const r = asyncContextManager(async function* () {
    yield 1;
    yield 2;
  });
  // try:
  try {
    // async with r(): t('main:body')
    await r().use(() => t("main:body"));
  } catch (e) {
    // except RuntimeError as e: t('main:e', e)
    if (!(e instanceof InvalidStateError)) throw e;
    t("main:e", e);
  }
});

scenario("cm.gen_replace", async (t) => {
  // @asynccontextmanager
  // async def r():
  const r = asyncContextManager(async function* () {
    // try: yield
    try {
      yield;
    } catch (cause) {
      // except ValueError: raise KeyError('rep')
      throw Object.assign(keyError("rep"), { cause });
    }
  });
  // try:
  try {
    // async with r(): raise ValueError('x')
    await r().use(() => {
      throw valueError("x");
    });
  } catch (e) {
    // except KeyError as e: t('main:e', e, e.__context__)
    t("main:e", e, (e as Error).cause);
  }
});
