import { assertEquals } from "@std/assert";
import {
  parseHttpDate,
  retryAfterOfHeaders,
} from "../../_internal/retry_after.ts";

const at = (headers: Record<string, string>) =>
  retryAfterOfHeaders(new Headers(headers));

Deno.test("retryAfterOfHeaders() takes seconds, also with a fraction", () => {
  assertEquals(at({ "Retry-After": "120" }), 120_000);
  assertEquals(at({ "Retry-After": " 1.5 " }), 1500);
  assertEquals(at({ "Retry-After": "0" }), 0);
});

Deno.test("retryAfterOfHeaders() compares a date with the server's own clock", () => {
  const Date = "Sun, 06 Nov 1994 08:49:37 GMT";

  const after = (text: string) => at({ "Retry-After": text, Date });

  assertEquals(after("Sun, 06 Nov 1994 08:50:07 GMT"), 30_000);
  assertEquals(after("Sunday, 06-Nov-94 08:50:07 GMT"), 30_000);
  assertEquals(after("Sun Nov  6 08:50:07 1994"), 30_000);
  assertEquals(after("Sun, 06 Nov 1994 08:00:00 GMT"), 0);
  assertEquals(at({ "Retry-After": Date }), undefined);
});

Deno.test("retryAfterOfHeaders() takes nothing for a hint that is none", () => {
  const Date = "Sun, 06 Nov 1994 08:49:37 GMT";

  for (
    const text of ["", "-1", "1e3", "soon", "in 5 minutes", "9".repeat(400)]
  ) {
    assertEquals(at({ "Retry-After": text, Date }), undefined, text);
  }
  assertEquals(at({}), undefined);
  assertEquals(parseHttpDate("Sunday, or later"), undefined);
});
