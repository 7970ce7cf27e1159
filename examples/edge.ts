/**
 * A service at the edge: limits each client, keeps what an origin has given, and
 * answers also while the origin does not. Without ORIGIN it has a page of its own.
 *
 * Run it: `ORIGIN=https://example.com deno serve --allow-env=ORIGIN --allow-net
 * examples/edge.ts`; on Deno Deploy, make this file the entry point.
 */
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { Fallback } from "@ilmek/async/fallback";
import { keyed } from "@ilmek/async/keyed";
import { Memo } from "@ilmek/async/memo";
import { formatRateLimitHeaders } from "@ilmek/async/rate-limit-headers";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { Retry } from "@ilmek/async/retry";
import { Timeout } from "@ilmek/async/timeout-policy";

/** A page as it is kept. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What {@linkcode createEdge} is made of. */
export interface EdgeOptions {
  /** Loads a page; it throws if the origin is in trouble. */
  load: (path: string, signal: AbortSignal) => Promise<Page>;
  /** Who is limited. The default is the address that the request is from. */
  clientOf?: (request: Request, info: Deno.ServeHandlerInfo) => string;
  /** How many requests each client has in `perMs`. */
  limit?: number;
  perMs?: number;
  /** How long a page is fresh, and how long it then stands in for a new one. */
  freshMs?: number;
  staleMs?: number;
  /** How long a client waits at most. */
  deadlineMs?: number;
}

/** The origin has answered, but with an error of its own. */
export class OriginError extends Error {
  static {
    this.prototype.name = "OriginError";
  }
}

/** Makes the service. */
export function createEdge(options: EdgeOptions): Deno.ServeDefaultExport {
  const { load, clientOf = addressOf, limit = 600, perMs = 60_000 } = options;
  const { freshMs = 5000, staleMs = 600_000, deadlineMs = 3000 } = options;

  const breaker = new CircuitBreaker({ name: "origin" });
  const origin = compose(
    breaker,
    new Retry({ attempts: 2 }),
    new Timeout(2000),
  );
  const pages = new Memo(
    (path: string) => origin.run(({ signal }) => load(path, signal)),
    // A page that cannot be loaded anew stays; the breaker counts that.
    { ttlMs: freshMs, staleMs, max: 500, onRefreshError: () => {} },
  );
  const limiters = keyed(
    (client: string) => new RateLimiter({ name: client, limit, perMs }),
    { idleMs: perMs, onFull: "share-overflow" },
  );
  const answer = compose(
    new Fallback([() => UNAVAILABLE]),
    new Timeout(deadlineMs),
  );

  async function page(request: Request, path: string, client: string) {
    const turn = limiters.get(client).tryTake();
    const headers = formatRateLimitHeaders(turn, { policy: "client" });
    if (!turn.ok) return new Response("Slow down\n", { status: 429, headers });
    const { status, type, body } = await answer.run(() => pages.get(path));
    if (status === UNAVAILABLE.status) headers["Retry-After"] = "5";
    return new Response(request.method === "HEAD" ? null : body, {
      status,
      headers: { ...headers, "Content-Type": type },
    });
  }

  function health(): Response {
    const { state } = breaker.snapshot();
    const { size, stats } = pages;
    const facts = { origin: state, pages: { size, ...stats } };
    return Response.json(facts, { status: state === "open" ? 503 : 200 });
  }

  return {
    fetch(request, info) {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/livez") return new Response("ok\n");
      if (pathname === "/readyz") return health();
      if (request.method !== "GET" && request.method !== "HEAD") {
        const headers = { Allow: "GET, HEAD" };
        return new Response("Only to be read\n", { status: 405, headers });
      }
      return page(request, pathname + search, clientOf(request, info));
    },
  };
}

const UNAVAILABLE: Page = textPage("Come back in a moment\n", 503);

function textPage(text: string, status = 200): Page {
  const body = new TextEncoder().encode(text);
  return { status, type: "text/plain; charset=utf-8", body };
}

/** What a client sends can be made up; where it is from cannot. */
function addressOf(
  _request: Request,
  { remoteAddr }: Deno.ServeHandlerInfo,
): string {
  return "hostname" in remoteAddr ? remoteAddr.hostname : "local";
}

/** Loads from an origin. It gets no cookies, so its pages are the same for all. */
function loaderFrom(base: string): EdgeOptions["load"] {
  return async (path, signal) => {
    // The path is appended, not resolved: "//host" leads to no other host.
    const response = await fetch(new URL(base).origin + path, { signal });
    const { status, headers } = response;
    const body = new Uint8Array(await response.arrayBuffer());
    if (status >= 500) throw new OriginError(`The origin answered ${status}`);
    const type = headers.get("Content-Type") ?? "application/octet-stream";
    return { status, type, body };
  };
}

const base = Deno.env.get("ORIGIN");
const edge: Deno.ServeDefaultExport = createEdge({
  load: base === undefined
    ? (path) => Promise.resolve(textPage(`This is ${path}\n`))
    : loaderFrom(base),
});

export default edge;
