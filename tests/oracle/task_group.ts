import { CancelledError, isCancelled } from "@ilmek/async/errors";
import { sleep } from "@ilmek/async/sleep";
import { createTask, currentTask, type Task } from "@ilmek/async/task";
import { TaskGroup } from "@ilmek/async/task-group";
import { timeout } from "@ilmek/async/timeout";
import { uncancellable } from "@ilmek/async/uncancellable";
import { keyError, scenario, valueError } from "./harness.ts";

scenario("group.ok", async (t) => {
  // async with asyncio.TaskGroup() as g:
  const { a, b } = await TaskGroup.run((g) => {
    // a = g.create_task(t.act('a', 2, 'A'))
    const a = g.createTask(() => t.act("a", 2, "A"));
    // b = g.create_task(t.act('b', 1, 'B'))
    const b = g.createTask(() => t.act("b", 1, "B"));
    // t('main:body_end')
    t("main:body_end");
    return { a, b };
  });
  // t('main:r', a.result(), b.result())
  t("main:r", a.result(), b.result());
});

scenario("group.empty", async (t) => {
  // async with asyncio.TaskGroup(): pass
  await TaskGroup.run(() => {});
  // t('main:done')
  t("main:done");
});

scenario("group.sibling_cancel", async (t) => {
  const made: { a?: Task<unknown>; c?: Task<unknown> } = {};
  try {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run((g) => {
      // a = g.create_task(t.act('a', 5))
      made.a = g.createTask(() => t.act("a", 5));
      // g.create_task(t.act('b', 1, exc=ValueError('b')))
      g.createTask(() => t.act("b", 1, null, valueError("b")));
      // c = g.create_task(t.act('c', 6))
      made.c = g.createTask(() => t.act("c", 6));
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
  // t('main:states', a.cancelled(), c.cancelled(), asyncio.current_task().cancelling())
  t(
    "main:states",
    made.a?.cancelled,
    made.c?.cancelled,
    Number(currentTask()?.cancelling),
  );
});

scenario("group.multi_errors", async (t) => {
  // async def bad(n):
  const bad = async (n: string) => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } finally {
      // finally: raise KeyError(n)
      // deno-lint-ignore no-unsafe-finally -- that is what is tested
      throw keyError(n);
    }
  };
  try {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run((g) => {
      // g.create_task(bad('x'))
      g.createTask(() => bad("x"));
      // g.create_task(t.act('b', 1, exc=ValueError('b')))
      g.createTask(() => t.act("b", 1, null, valueError("b")));
      // g.create_task(bad('y'))
      g.createTask(() => bad("y"));
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
});

scenario("group.body_and_child", async (t) => {
  // async def bad():
  const bad = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } finally {
      // finally: raise KeyError('child')
      // deno-lint-ignore no-unsafe-finally -- that is what is tested
      throw keyError("child");
    }
  };
  try {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run(async (g) => {
      // g.create_task(bad())
      g.createTask(bad);
      // await sleep(1)
      await sleep(1000);
      // raise ValueError('body')
      throw valueError("body");
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
});

scenario("group.outside_cancel", async (t) => {
  // async def p():
  const p = async () => {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run((g) => {
      // g.create_task(t.act('a', 5))
      g.createTask(() => t.act("a", 5));
      // g.create_task(t.act('b', 6))
      g.createTask(() => t.act("b", 6));
    });
  };
  // k = mk(p())
  const k = createTask(p);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled())
  t("main:c", k.cancelled);
});

scenario("group.outside_cancel_child_error", async (t) => {
  // async def bad():
  const bad = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } finally {
      // finally: raise ValueError('child')
      // deno-lint-ignore no-unsafe-finally -- that is what is tested
      throw valueError("child");
    }
  };
  // async def p():
  const p = async () => {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run((g) => {
      // g.create_task(bad())
      g.createTask(bad);
      // g.create_task(t.act('b', 6))
      g.createTask(() => t.act("b", 6));
    });
  };
  // k = mk(p())
  const k = createTask(p);
  // await sleep(1)
  await sleep(1000);
  // k.cancel()
  k.cancel();
  // await t.attempt('main:k', k)
  await t.attempt("main:k", k);
  // t('main:c', k.cancelled())
  t("main:c", k.cancelled);
});

scenario("group.child_self_cancel", async (t) => {
  // async with asyncio.TaskGroup() as g:
  const { a } = await TaskGroup.run(async (g) => {
    // a = g.create_task(t.act('a', 5))
    const a = g.createTask(() => t.act("a", 5));
    // g.create_task(t.act('b', 2, 'B'))
    g.createTask(() => t.act("b", 2, "B"));
    // await sleep(1)
    await sleep(1000);
    // a.cancel()
    a.cancel();
    return { a };
  });
  // t('main:done', a.cancelled())
  t("main:done", a.cancelled);
});

scenario("group.spawn_from_child", async (t) => {
  // async with asyncio.TaskGroup() as g:
  await TaskGroup.run((g) => {
    // async def c():
    const c = async () => {
      // t('c:start')
      t("c:start");
      // await sleep(1)
      await sleep(1000);
      // g.create_task(t.act('d', 2))
      g.createTask(() => t.act("d", 2));
      // t('c:end')
      t("c:end");
    };
    // g.create_task(c())
    g.createTask(c);
  });
  // t('main:done')
  t("main:done");
});

scenario("group.create_before_enter", async (t) => {
  // g = asyncio.TaskGroup()
  const g = new TaskGroup();
  // c = t.act('a', 1)
  const c = () => t.act("a", 1);
  // t.tryit('main:e', g.create_task, c)
  t.tryIt("main:e", () => g.createTask(c));
  // c.close()
  await g.waitAll();
}, { deviation: 13 });

scenario("group.enter_twice", async (t) => {
  // g = asyncio.TaskGroup()
  const g = new TaskGroup();
  // async with g: pass
  await g.waitAll();
  try {
    // async with g: pass
    await g.waitAll();
  } catch (error) {
    // except RuntimeError as e: t('main:e', e)
    t("main:e", error);
  }
}, { deviation: 13 });

scenario("group.nested_inner_fail", async (t) => {
  // async def inner():
  const inner = async () => {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run((g) => {
      // g.create_task(t.act('x', 1, exc=ValueError('x')))
      g.createTask(() => t.act("x", 1, null, valueError("x")));
      // g.create_task(t.act('y', 5))
      g.createTask(() => t.act("y", 5));
    });
  };
  try {
    // async with asyncio.TaskGroup() as o:
    await TaskGroup.run((o) => {
      // o.create_task(inner())
      o.createTask(inner);
      // o.create_task(t.act('z', 9))
      o.createTask(() => t.act("z", 9));
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
});

scenario("group.nested_handled", async (t) => {
  // async with asyncio.TaskGroup() as o:
  await TaskGroup.run(async (o) => {
    // o.create_task(t.act('z', 3, 'Z'))
    o.createTask(() => t.act("z", 3, "Z"));
    try {
      // async with asyncio.TaskGroup() as g:
      await TaskGroup.run((g) => {
        // g.create_task(t.act('x', 1, exc=ValueError('x')))
        g.createTask(() => t.act("x", 1, null, valueError("x")));
        // g.create_task(t.act('y', 5))
        g.createTask(() => t.act("y", 5));
      });
    } catch (error) {
      // except* ValueError as e: t('main:inner', e)
      t("main:inner", error);
    }
    // await sleep(1)
    await sleep(1000);
    // t('main:body')
    t("main:body");
  });
  // t('main:done', asyncio.current_task().cancelling())
  t("main:done", Number(currentTask()?.cancelling));
});

scenario("group.nested_outer_fail", async (t) => {
  try {
    // async with asyncio.TaskGroup() as o:
    await TaskGroup.run(async (o) => {
      // o.create_task(t.act('z', 1, exc=ValueError('z')))
      o.createTask(() => t.act("z", 1, null, valueError("z")));
      try {
        // async with asyncio.TaskGroup() as g: g.create_task(t.act('x', 5))
        await TaskGroup.run((g) => {
          g.createTask(() => t.act("x", 5));
        });
      } catch (error) {
        // except BaseException as e: t('main:inner', e)
        t("main:inner", error);
        // raise
        throw error;
      }
    });
  } catch (error) {
    // except BaseException as e: t('main:outer', e)
    t("main:outer", error);
  }
});

scenario("group.nested_both_fail", async (t) => {
  try {
    // async with asyncio.TaskGroup() as o:
    await TaskGroup.run(async (o) => {
      // o.create_task(t.act('z', 1, exc=ValueError('z')))
      o.createTask(() => t.act("z", 1, null, valueError("z")));
      // async with asyncio.TaskGroup() as g: g.create_task(t.act('x', 1, exc=KeyError('x')))
      await TaskGroup.run((g) => {
        g.createTask(() => t.act("x", 1, null, keyError("x")));
      });
    });
  } catch (error) {
    // except BaseException as e: t('main:outer', e)
    t("main:outer", error);
  }
  // t('main:cancelling', asyncio.current_task().cancelling())
  t("main:cancelling", Number(currentTask()?.cancelling));
});

scenario("group.with_timeout", async (t) => {
  try {
    // async with asyncio.timeout(1):
    await timeout(1000, async () => {
      // async with asyncio.TaskGroup() as g:
      await TaskGroup.run((g) => {
        // g.create_task(t.act('a', 5))
        g.createTask(() => t.act("a", 5));
        // g.create_task(t.act('b', 6))
        g.createTask(() => t.act("b", 6));
      });
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
});

scenario("group.body_swallows", async (t) => {
  try {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run(async (g) => {
      // g.create_task(t.act('b', 1, exc=ValueError('b')))
      g.createTask(() => t.act("b", 1, null, valueError("b")));
      try {
        // try: await sleep(9)
        await sleep(9000);
      } catch (error) {
        // except Cancelled: t('body:swallow')
        if (!isCancelled(error)) throw error;
        t("body:swallow");
      }
      // await sleep(1)
      await sleep(1000);
      // t('body:after')
      t("body:after");
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
}, { deviation: 2 });

scenario("group.child_cleanup_delay", async (t) => {
  // async def slow():
  const slow = async () => {
    try {
      // try: await sleep(9)
      await sleep(9000);
    } finally {
      // finally: await sleep(2)
      await uncancellable(() => sleep(2000));
      // t('slow:clean')
      t("slow:clean");
    }
  };
  try {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run((g) => {
      // g.create_task(slow())
      g.createTask(slow);
      // g.create_task(t.act('b', 1, exc=ValueError('b')))
      g.createTask(() => t.act("b", 1, null, valueError("b")));
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
});

scenario("group.wait_inside", async (t) => {
  // async with asyncio.TaskGroup() as g:
  await TaskGroup.run(async (g) => {
    // a = g.create_task(t.act('a', 1, 'A'))
    const a = g.createTask(() => t.act("a", 1, "A"));
    // g.create_task(t.act('b', 2))
    g.createTask(() => t.act("b", 2));
    // t('body:got', await a)
    t("body:got", await a);
  });
});

scenario("group.body_cancel_error", async (t) => {
  try {
    // async with asyncio.TaskGroup() as g:
    await TaskGroup.run(async (g) => {
      // g.create_task(t.act('a', 5))
      g.createTask(() => t.act("a", 5));
      // await sleep(1)
      await sleep(1000);
      // raise Cancelled()
      throw new CancelledError();
    });
  } catch (error) {
    // except BaseException as e: t('main:e', e)
    t("main:e", error);
  }
});
