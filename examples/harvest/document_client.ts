/**
 * Gets documents over HTTP, as often as it takes: at the pace that each host allows,
 * with pauses while it is down, and within limits of time.
 */
import { CircuitBreaker } from "@ilmek/async/circuit-breaker";
import { compose } from "@ilmek/async/compose";
import { ContextVar } from "@ilmek/async/context-var";
import {
  HttpSession,
  HttpStatusError,
  NetworkError,
} from "@ilmek/async/http-session";
import { getRunningLoop } from "@ilmek/async/loop";
import { type Policy, PolicyError } from "@ilmek/async/policy";
import { RateLimiter } from "@ilmek/async/rate-limiter";
import { Retry } from "@ilmek/async/retry";
import { exponential } from "@ilmek/async/schedule";
import { TimeoutError } from "@ilmek/async/timeout";
import { Timeout } from "@ilmek/async/timeout-policy";
import type { HarvestedDocument } from "./document_store.ts";
import type { Fate, RunRecord } from "./run_record.ts";

/** Options of {@linkcode DocumentClient}. */
export interface DocumentClientOptions {
  readonly baseUrl: string | undefined;
  readonly rate: number;
  readonly timeoutMs: number;
  /**
   * How long a document may take, with all its attempts.
   *
   * @default {120_000}
   */
  readonly documentMs?: number;
}

/** Thrown for a body that is no JSON, such as the page of a proxy. */
export class GarbledDocumentError extends SyntaxError {
  static {
    this.prototype.name = "GarbledDocumentError";
  }
}

const MAX_ATTEMPTS = 100;

/** When the request of the present attempt was sent: after its wait for a turn. */
const SENT = new ContextVar<{ at: number | undefined }>("sent");

/** A client for one run. */
export class DocumentClient implements AsyncDisposable {
  readonly #rate: number;
  readonly #session: HttpSession;
  readonly #retry: Retry;
  readonly #policy: Policy;
  readonly #limiters = new Map<string, RateLimiter>();
  #record: RunRecord | undefined = undefined;

  constructor(options: DocumentClientOptions) {
    const { baseUrl, rate, timeoutMs, documentMs = 120_000 } = options;
    this.#rate = rate;
    this.#session = new HttpSession({
      ...(baseUrl === undefined ? {} : { baseUrl }),
      timeoutMs,
      throwOnError: true,
      perHost: (origin) => this.#policyOf(origin),
      fetch: (request) => this.#fetch(request),
    });
    this.#retry = new Retry({
      name: "document",
      attempts: MAX_ATTEMPTS,
      schedule: exponential(50, { maxMs: 2000 }).jittered("full"),
      maxDelayMs: documentMs,
      isRetriable,
    });
    // Half a body is found after the session has done its part: so this stands
    // around the whole attempt, and what is per host inside of the session.
    this.#policy = compose(new Timeout(documentMs), this.#retry);
  }

  /** How many attempts were made again, or wait for that. */
  get retries(): number {
    return this.#retry.snapshot().retries;
  }

  /** Where to write down what happens from now on. */
  recordTo(record: RunRecord): void {
    this.#record = record;
  }

  /** Gets a document. */
  async load(id: string): Promise<HarvestedDocument> {
    const body = await this.text(id);
    return { id, body, sha256: await sha256Of(body) };
  }

  /** Gets the text of a document, which is JSON. */
  text(path: string): Promise<string> {
    return this.#policy.run(() =>
      SENT.run({ at: undefined }, () => this.#attempt(path))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  async #attempt(path: string): Promise<string> {
    try {
      const response = await this.#session.get(path);
      const text = await response.text();
      checkJson(text, path);
      this.#note("ok");
      return text;
    } catch (error) {
      const fate = fateOf(error);
      if (fate !== undefined) this.#note(fate);
      throw error;
    }
  }

  /** Fetches when it is the turn of a request, and heeds what the server says. */
  async #fetch(request: Request): Promise<Response> {
    const limiter = this.#limiters.get(new URL(request.url).origin);
    const epoch = limiter?.epoch ?? 0;
    SENT.get().at = getRunningLoop().time();
    const response = await fetch(request);
    if (response.status === 429) limiter?.observeResponse(response, { epoch });
    return response;
  }

  #policyOf(origin: string): Policy {
    const limiter = new RateLimiter({
      name: origin,
      limit: this.#rate,
      perMs: 1000,
      burst: Math.max(1, Math.ceil(this.#rate / 20)),
      onFreeze: ({ ms }) => this.#record?.addFreeze(origin, ms),
    });
    this.#limiters.set(origin, limiter);
    const breaker = new CircuitBreaker({
      name: origin,
      window: { kind: "count", size: 40 },
      failureRate: 0.6,
      openMs: 500,
      maxOpenMs: 15_000,
      rampMs: 500,
      // A host that asks for patience is not broken.
      classify: (outcome) =>
        !outcome.ok && isLimited(outcome.error) ? "ignore" : undefined,
      onStateChange: ({ to }) => this.#record?.addCircuit(origin, to),
    });
    return compose(limiter, breaker);
  }

  #note(fate: Fate): void {
    const { at } = SENT.get();
    if (at !== undefined) this.#record?.addAttempt(fate, at);
  }
}

function isRetriable(error: unknown): boolean {
  if (error instanceof HttpStatusError) return isPassing(error.status);
  return error instanceof PolicyError || fateOf(error) !== undefined;
}

/** Whether a status may be another one soon. */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

function isLimited(error: unknown): boolean {
  return error instanceof HttpStatusError && error.status === 429;
}

/** What became of an attempt that has failed, if it did so by itself. */
function fateOf(error: unknown): Fate | undefined {
  if (isLimited(error)) return "limited";
  if (error instanceof HttpStatusError) return "status";
  if (error instanceof NetworkError) return "network";
  if (error instanceof GarbledDocumentError) return "garbled";
  return error instanceof TimeoutError ? "timeout" : undefined;
}

function checkJson(text: string, path: string): void {
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new GarbledDocumentError(`Cannot use ${path}: it is not JSON`, {
      cause,
    });
  }
}

async function sha256Of(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}
