import { assertEquals, assertThrows } from "@std/assert";
import {
  type CallPriority,
  currentPriority,
  currentTenant,
  withPriority,
  withTenant,
} from "@ilmek/async/call-priority";
import { checkpoint } from "@ilmek/async/checkpoint";
import { createTask } from "@ilmek/async/task";
import { testClean } from "../_leaks.ts";

Deno.test("calls are critical, and nobody's, if nobody has said anything", () => {
  assertEquals([currentPriority(), currentTenant()], ["critical", undefined]);
});

testClean(
  "a priority holds for what is called and started inside",
  async () => {
    const task = withPriority("sheddable", () =>
      createTask(async () => {
        await checkpoint();
        return currentPriority();
      }));

    assertEquals(await task, "sheddable");
    assertEquals(currentPriority(), "critical");
  },
);

Deno.test("a priority and a tenant do not forget each other", () => {
  const both = () => [currentPriority(), currentTenant()];

  assertEquals(
    withPriority("critical+", () => withTenant("acme", both)),
    ["critical+", "acme"],
  );
  assertEquals(
    withTenant("acme", () => withPriority("sheddable+", both)),
    ["sheddable+", "acme"],
  );
});

Deno.test("withPriority() and withTenant() reject wrong arguments", () => {
  assertThrows(
    () => withPriority("high" as CallPriority, () => {}),
    TypeError,
    'Cannot set a priority as "priority" must be one of "critical+", "critical", "sheddable+", "sheddable": current value is "high"',
  );
  assertThrows(
    () => withTenant("acme", 1 as never),
    TypeError,
    'Cannot set a tenant as "fn" must be a function',
  );
});
