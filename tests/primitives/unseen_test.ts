import { assertEquals } from "@std/assert";

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
