/**
 * A real server on this machine that is slow, flaky and limited: what a harvest has
 * to expect of an API.
 */
import { getRunningLoop } from "@ilmek/async/loop";
import { formatRateLimitHeaders } from "@ilmek/async/rate-limit-headers";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { sleep } from "@ilmek/async/sleep";
import { FlakyDoor } from "./flaky_door.ts";
import { documentPaths, documentText, randomOf } from "./flaky_documents.ts";

/** What goes wrong with a request. */
export type Fault = "error" | "reset" | "half" | "garbled" | "hang";

/** Which share of the requests each fault befalls. */
export type Faults = Readonly<Record<Fault, number>>;

/** A time in which every request fails, from the first request on. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Options of {@linkcode FlakyServer}. */
export interface FlakyServerOptions {
  /** How many documents there are. */
  readonly documents: number;
  /** How many requests a second are answered; more get a status of 429. */
  readonly perSecond?: number;
  /** How long an answer takes on average, and ten times as long now and then. */
  readonly latencyMs?: number;
  readonly faults?: Faults;
  readonly outages?: readonly Outage[];
  /** From where on random numbers are drawn. */
  readonly seed?: number;
}

const ANSWERS = ["error", "half", "garbled", "hang"] as const;

const FAULTS: Faults = {
  error: 0.03,
  reset: 0.015,
  half: 0.015,
  garbled: 0.01,
  hang: 0.003,
};

/** How long a request hangs, which is longer than anybody waits. */
const HANG_MS = 5000;
const PAGE_SIZE = 500;

/** The server; it listens as soon as it is made. */
export class FlakyServer implements AsyncDisposable {
  readonly #options: Required<FlakyServerOptions>;
  readonly #random: () => number;
  readonly #limiter: RateLimiter;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #door: FlakyDoor;
  readonly #closing = new AbortController();
  readonly #served = new Map<string, number>();
  #firstAt: number | undefined = undefined;
  #requests = 0;

  constructor(options: FlakyServerOptions) {
    this.#options = {
      perSecond: 500,
      latencyMs: 12,
      faults: FAULTS,
      outages: [],
      seed: 1,
      ...options,
    };
    const { perSecond, seed } = this.#options;
    this.#random = randomOf(seed);
    this.#limiter = new RateLimiter({
      limit: perSecond,
      perMs: 1000,
      burst: Math.max(1, Math.ceil(perSecond / 5)),
    });
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      // Its own broken bodies come back to it as errors.
      onError: () => new Response(null, { status: 500 }),
    }, (request) => this.#answer(request));
    this.#door = new FlakyDoor({
      port: this.#server.addr.port,
      isCut: () => this.#random() < this.#options.faults.reset,
    });
  }

  /** Where it is. */
  get url(): string {
    return `http://127.0.0.1:${this.#door.port}`;
  }

  /** How many requests have come. */
  get requests(): number {
    return this.#requests;
  }

  /** The documents that were sent as a whole, and how often each was. */
  get served(): ReadonlyMap<string, number> {
    return this.#served;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#server.shutdown();
    await this.#door[Symbol.asyncDispose]();
  }

  async #answer(request: Request): Promise<Response> {
    this.#requests++;
    const { pathname, searchParams } = new URL(request.url);
    const now = getRunningLoop().time();
    const elapsed = now - (this.#firstAt ??= now);
    if (this.#options.outages.some((it) => isWithin(it, elapsed))) {
      return new Response("the server is down", { status: 503 });
    }
    const turn = this.#limiter.tryTake();
    if (!turn.ok) {
      const headers = formatRateLimitHeaders(turn);
      return new Response("too many requests", { status: 429, headers });
    }
    const { signal } = this.#closing;
    try {
      await sleep(this.#latency(), { signal });
      if (pathname === "/") return this.#page(searchParams);
      return await this.#document(pathname.slice(1), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return new Response(null, { status: 503 });
    }
  }

  #page(parameters: URLSearchParams): Response {
    const from = Number(parameters.get("from") ?? 0);
    const to = from + PAGE_SIZE;
    const { documents } = this.#options;
    return Response.json({
      documents: documentPaths(documents).slice(from, to),
      next: to < documents ? `?from=${to}` : null,
    });
  }

  async #document(path: string, signal: AbortSignal): Promise<Response> {
    const [, digits] = /^documents\/(\d+)$/.exec(path) ?? [];
    const number = Number(digits ?? 0);
    if (number < 1 || number > this.#options.documents) {
      return new Response("there is no such document", { status: 404 });
    }
    const text = documentText(number);
    switch (this.#fault()) {
      case "error":
        return new Response("something broke", { status: 500 });
      case "half":
        return half(text);
      case "garbled":
        return json(text.slice(0, text.length / 2));
      case "hang":
        await sleep(HANG_MS, { signal });
        return new Response("it took too long", { status: 503 });
    }
    this.#served.set(path, (this.#served.get(path) ?? 0) + 1);
    return json(text);
  }

  #latency(): number {
    const { latencyMs } = this.#options;
    const isSlow = this.#random() < 0.03;
    return latencyMs * (isSlow ? 10 : 0.5) * (0.5 + this.#random() * 1.5);
  }

  /** What goes wrong with an answer; requests are cut by the door. */
  #fault(): Exclude<Fault, "reset"> | undefined {
    let draw = this.#random();
    return ANSWERS.find((fault) => (draw -= this.#options.faults[fault]) < 0);
  }
}

function isWithin({ fromMs, toMs }: Outage, elapsed: number): boolean {
  return elapsed >= fromMs && elapsed < toMs;
}

function json(text: string): Response {
  return new Response(text, {
    headers: { "Content-Type": "application/json" },
  });
}

/** A response whose connection is cut in the middle of its body. */
function half(text: string): Response {
  const body = new TextEncoder().encode(text);
  let isSent = false;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (isSent) controller.error(new DOMException("cut", "NetworkError"));
      else controller.enqueue(body.subarray(0, body.length / 2));
      isSent = true;
    },
  }, { highWaterMark: 0 });
  return new Response(stream, {
    headers: {
      "Content-Type": "application/json",
      "Content-Length": String(body.length),
    },
  });
}
