import { getRunningLoop } from "@ilmek/async/loop";
import { sleep } from "@ilmek/async/sleep";
import { TaskGroup } from "@ilmek/async/task-group";
import { TaskGroupError } from "@ilmek/async/task-group-error";
import { TimeoutError } from "@ilmek/async/timeout";
import { VirtualLoop } from "@ilmek/async/virtual";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  cancellableTask,
  cancellationExample,
  failingTask,
  futureExample,
  monitoredTask,
  waitAll,
} from "../../examples/07_task_management.ts";
import { capture } from "./_capture.ts";

for (const order of ["fifo", "system"] as const) {
  Deno.test(`cancellationExample() takes no step at the instant of the cancellation (${order})`, async () => {
    const virtual = new VirtualLoop({ order });

    const { lines } = await capture(
      virtual,
      () => virtual.run(cancellationExample),
    );

    const steps = lines.filter(({ text }) => text.includes("adım"));
    assertEquals(steps.map(({ t }) => t), [0, 0.5, 1, 1.5]);
  });
}

Deno.test("waitAll() tells that the time runs out before it cancels the rest", async () => {
  const virtual = new VirtualLoop();

  const { lines, total } = await capture(
    virtual,
    () =>
      virtual.run(async () => {
        await using group = new TaskGroup({ name: "G" });
        group.createTask(() => monitoredTask("A", 1000));
        group.createTask(() => cancellableTask("X"));
        await assertRejects(() => waitAll(group, 1700), TimeoutError);
        assertEquals(group.size, 0);
      }),
  );

  const told = lines.slice(-3).map(({ t, text }) => `${t} ${text}`);
  assertEquals(told, [
    "1.7 G: Timeout! Kalan task'lar iptal ediliyor...",
    "1.7 X iptal edildi!",
    "1.8 X cleanup tamamlandı",
  ]);
  assertEquals(total, 1.8);
});

Deno.test("waitAll() says nothing of a time that is enough", async () => {
  const virtual = new VirtualLoop();

  const { lines } = await capture(virtual, () =>
    virtual.run(async () => {
      await using group = new TaskGroup({ name: "G" });
      group.createTask(() => sleep(1000));
      await waitAll(group, 1001);
      await sleep(1000);
    }));

  assertEquals(lines, []);
});

Deno.test("waitAll() gives results in the order of creation, early ones too", async () => {
  const virtual = new VirtualLoop();
  const results: unknown[] = [];

  await capture(virtual, () =>
    virtual.run(async () => {
      await using group = new TaskGroup({ name: "G" });
      for (const [name, ms] of [["B", 3000], ["A", 1000]] as const) {
        group.createTask(() => monitoredTask(name, ms));
      }
      await sleep(2000);
      assertEquals(group.size, 1);
      results.push(...await waitAll(group, 5000));
    }));

  assertEquals(results, [
    "B başarıyla tamamlandı (3s)",
    "A başarıyla tamamlandı (1s)",
  ]);
});

Deno.test("waitAll() throws a failure of long ago, and the others end with it", async () => {
  const virtual = new VirtualLoop();

  const { lines } = await capture(virtual, () =>
    virtual.run(async () => {
      await using group = new TaskGroup({ name: "G" });
      group.createTask(() => failingTask("F"));
      group.createTask(() => monitoredTask("B", 3000));
      await sleep(1000);
      const error = await assertRejects(
        () => waitAll(group, 5000),
        TaskGroupError,
      );
      assertEquals(error.errors.map((e) => e.message), ["F bir hata verdi!"]);
    }));

  assertEquals(lines.at(-1)?.t, 0.5);
  assert(lines.at(-1)?.text.endsWith("B iptal edildi"));
});

Deno.test("futureExample() does not wait for ever if the setter fails", async () => {
  const virtual = new VirtualLoop();
  const fault = new RangeError("no value");

  await capture(virtual, () =>
    virtual.run(async () => {
      const compute = async () => {
        await sleep(10);
        throw fault;
      };
      const error = await assertRejects(
        () => futureExample(compute),
        TaskGroupError,
      );
      assertEquals(error.errors, [fault]);
      assertEquals(getRunningLoop().time(), 10);
    }));
});
