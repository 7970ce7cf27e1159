import { assertEquals } from "@std/assert";
import {
  formatRateLimitHeaders,
  parseRateLimitHeaders,
} from "@ilmek/async/rate-limit-headers";
import type { RateLimitResult } from "@ilmek/async/rate-step";

const LET_THROUGH: RateLimitResult = {
  ok: true,
  remaining: 42,
  limit: 100,
  perMs: 60_000,
  retryAfterMs: 0,
  resetAfterMs: 30_001,
};

const parse = (headers: Record<string, string>) =>
  parseRateLimitHeaders(new Headers(headers));

Deno.test("formatRateLimitHeaders() tells the limit, and what is left of it", () => {
  assertEquals(formatRateLimitHeaders(LET_THROUGH), {
    "RateLimit-Policy": '"default";q=100;w=60',
    "RateLimit": '"default";r=42;t=31',
  });
});

Deno.test("formatRateLimitHeaders() never tells a client to come at once", () => {
  const refused = { ...LET_THROUGH, ok: false, remaining: 0, retryAfterMs: 1 };

  const headers = formatRateLimitHeaders(refused);

  assertEquals(headers["Retry-After"], "1");
  assertEquals(headers["RateLimit"], '"default";r=0;t=1');
});

Deno.test("formatRateLimitHeaders() tells short windows in whole seconds", () => {
  const headers = formatRateLimitHeaders({
    ...LET_THROUGH,
    limit: 10,
    perMs: 200,
  });

  assertEquals(headers["RateLimit-Policy"], '"default";q=50;w=1');
});

Deno.test("formatRateLimitHeaders() leaves out what is never", () => {
  const headers = formatRateLimitHeaders({
    ...LET_THROUGH,
    ok: false,
    remaining: 0,
    retryAfterMs: Infinity,
    resetAfterMs: Infinity,
  });

  assertEquals(headers["RateLimit"], '"default";r=0');
  assertEquals(headers["Retry-After"], undefined);
});

Deno.test("formatRateLimitHeaders() quotes the name of the policy", () => {
  const headers = formatRateLimitHeaders(LET_THROUGH, {
    policy: 'a "b" \\ ç\r\nX: y',
  });

  assertEquals(
    headers["RateLimit-Policy"],
    '"a \\"b\\" \\\\ X: y";q=100;w=60',
  );
});

Deno.test("parseRateLimitHeaders() reads what formatRateLimitHeaders() writes", () => {
  const refused = {
    ...LET_THROUGH,
    ok: false,
    remaining: 0,
    retryAfterMs: 1500,
  };
  const policy = 'the "API", 1;2';

  assertEquals(parse(formatRateLimitHeaders(refused, { policy })), {
    retryAfterMs: 2000,
    limits: [{
      policy,
      remaining: 0,
      resetAfterMs: 2000,
      quota: 100,
      windowMs: 60_000,
    }],
  });
});

Deno.test("parseRateLimitHeaders() reads several limits, and other parameters", () => {
  const { retryAfterMs, limits } = parse({
    "RateLimit-Policy":
      '"burst";q=10;w=1 , "day";q=1000;w=86400;qu="requests";pk=:cHJvZA==:',
    "RateLimit": '"day";r=0;t=3600;pk=:cHJvZA==:, burst;r=9;t=1',
  });

  assertEquals(retryAfterMs, 3_600_000);
  assertEquals(
    limits.map(({ policy, remaining, quota }) => [policy, remaining, quota]),
    [["burst", 9, 10], ["day", 0, 1000]],
  );
});

Deno.test("parseRateLimitHeaders() asks for no wait as long as something is left", () => {
  assertEquals(parse({ "RateLimit": '"a";r=1;t=60' }).retryAfterMs, undefined);
  assertEquals(parse({}), { retryAfterMs: undefined, limits: [] });
});

Deno.test("parseRateLimitHeaders() prefers Retry-After", () => {
  const { retryAfterMs } = parse({
    "Retry-After": "7",
    "RateLimit": '"a";r=0;t=60',
  });

  assertEquals(retryAfterMs, 7000);
});

Deno.test("parseRateLimitHeaders() measures dates by the date of the response", () => {
  const date = "Wed, 21 Oct 2015 07:28:00 GMT";
  const later = "Wed, 21 Oct 2015 07:28:30 GMT";

  const after = (headers: Record<string, string>) =>
    parse(headers).retryAfterMs;

  assertEquals(after({ "Retry-After": later, "Date": date }), 30_000);
  assertEquals(after({ "Retry-After": date, "Date": later }), 0);
  assertEquals(after({ "Retry-After": later }), undefined);
});

Deno.test("parseRateLimitHeaders() reads the older headers", () => {
  const older = parse({
    "RateLimit-Limit": "100, 100;w=60",
    "RateLimit-Remaining": "0",
    "RateLimit-Reset": "12",
  });
  const common = parse({
    "X-RateLimit-Limit": "60",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "1445412510",
    "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
  });

  assertEquals([older.retryAfterMs, older.limits[0]?.quota], [12_000, 100]);
  assertEquals([common.retryAfterMs, common.limits[0]?.quota], [30_000, 60]);
});

Deno.test("parseRateLimitHeaders() leaves out what it does not understand", () => {
  for (
    const value of [
      "",
      ";;;",
      '"open',
      "r=1;t=2",
      "\u0000",
      '"a";r=-1;t=x',
      ",,",
    ]
  ) {
    const headers = {
      get: (name: string) => name.startsWith("RateLimit") ? value : null,
    };
    const { retryAfterMs } = parseRateLimitHeaders(headers);
    assertEquals(retryAfterMs, undefined);
  }
  assertEquals(parse({ "Retry-After": "soon" }).retryAfterMs, undefined);
});
