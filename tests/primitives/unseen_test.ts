import { assertEquals } from "@std/assert";
import { Future } from "@ilmek/async/future";
import { sleep } from "@ilmek/async/sleep";
import { testClean } from "../_leaks.ts";

Deno.test(
  "a failure that nobody has looked at is told before the process ends",
  async () => {
    const program = new URL("./fixtures/lost.ts", import.meta.url);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", program.href],
      env: { NO_COLOR: "1" },
    }).output();

    const [told, error] = new TextDecoder().decode(stderr).split("\n");
    assertEquals(code, 0);
    assertEquals([told, error?.trim()], [
      'ilmek: Nobody has looked at task "dropped", which failed',
      "TypeError: lost",
    ]);
  },
);

Deno.test(
  "what is collected unseen is reported once, long before 5 s are over",
  async () => {
    const program = new URL("./fixtures/collected.ts", import.meta.url);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--v8-flags=--expose-gc", program.href],
      stderr: "inherit",
    }).output();

    const lines = new TextDecoder().decode(stdout).trim().split("\n")
      .toSorted();
    assertEquals(lines, [
      'Coroutine "forgotten" was never awaited',
      'Nobody has looked at task "dropped", which failed: TypeError: lost',
    ]);
  },
);

testClean(
  "failures at moments that are no whole numbers are told after 5 s",
  async ({ reports }) => {
    let seed = 7;
    const random = () => (seed = seed * 16807 % 2147483647) / 2147483647;
    for (let i = 0; i < 100; i++) {
      new Future<never>().setException(new TypeError("lost"));
      await sleep(random() * 10);
    }
    await sleep(5001);

    assertEquals(reports.length, 100);
    reports.length = 0;
  },
);
