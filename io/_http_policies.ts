import { checkFunction, show } from "../_internal/check.ts";
import { type Keyed, keyed } from "../patterns/keyed.ts";
import type {
  Policy,
  PolicyContext,
  PolicyRunOptions,
} from "../patterns/policy.ts";
import { NetworkError } from "./_http_errors.ts";

/** Statuses that may be gone at another attempt. */
const RETRIABLE_STATUSES = [408, 425, 429, 500, 502, 503, 504];

/** Methods that have the same effect however often they come. */
const IDEMPOTENT_METHODS = [
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
  "QUERY",
];

/** What a policy for one host must be like, so that it can be dropped again. */
interface HostPolicy extends Policy {
  readonly pristine?: boolean;
}

/** A policy whose state is kept as long as its host is known. */
class Host {
  readonly #policy: HostPolicy;

  constructor(policy: HostPolicy) {
    this.#policy = policy;
  }

  get pristine(): boolean {
    return this.#policy.pristine === true;
  }

  run<T>(
    fn: (context: PolicyContext) => T | PromiseLike<T>,
    options?: PolicyRunOptions,
  ): Promise<T> {
    return this.#policy.run(fn, options);
  }
}

/** How the requests of a session are guarded. */
export interface HttpPolicyOptions {
  readonly policy: Policy | undefined;
  readonly perHost: ((origin: string) => Policy) | undefined;
  readonly maxHosts: number;
}

/** The policies of a session: one for all requests, and one for each host. */
export class HttpPolicies {
  readonly #policy: Policy | undefined;
  readonly #hosts: Keyed<string, Host> | undefined;

  constructor(options: HttpPolicyOptions) {
    const { policy, perHost, maxHosts } = options;
    if (policy !== undefined) checkPolicy(policy, "policy");
    this.#policy = policy;
    if (perHost === undefined) return;
    checkFunction(perHost, "create a session", "perHost");
    this.#hosts = keyed((origin: string) => {
      const made = perHost(origin);
      checkPolicy(made, "perHost");
      return new Host(made);
    }, { name: "hosts of a session", max: maxHosts });
  }

  /** Whether there is any: without one a request is sent once, as it is. */
  get any(): boolean {
    return this.#policy !== undefined || this.#hosts !== undefined;
  }

  /** Runs attempts until the policies are content, or the signal ends all of it. */
  run<T>(
    origin: string,
    attempt: () => Promise<T>,
    options: PolicyRunOptions,
  ): Promise<T> {
    const hosts = this.#hosts;
    if (this.#policy === undefined) {
      return hosts?.run(origin, attempt, options) ?? attempt();
    }
    // What ends the outer one ends those inside.
    const inner = hosts === undefined
      ? attempt
      : () => hosts.run(origin, attempt);
    return this.#policy.run(inner, options);
  }
}

/** Thrown if a request should be sent again that must not be. */
export class RequestNotReplayableError extends TypeError {
  static {
    this.prototype.name = "RequestNotReplayableError";
  }

  /** Creates the error; `options.cause` is why it should be sent again. */
  constructor(request: string, why: string, options: ErrorOptions) {
    super(`Cannot send ${request} again: ${why}`, options);
  }
}

/** One request, and whether it may be sent more than once. */
export class Replay {
  readonly #request: string;
  readonly #isStream: boolean;
  readonly #isIdempotent: boolean;
  #attempts = 0;
  #lastError: unknown = undefined;

  constructor(
    request: string,
    init: { method: string; headers: Headers; body?: BodyInit },
  ) {
    this.#request = request;
    this.#isStream = init.body instanceof ReadableStream;
    this.#isIdempotent = IDEMPOTENT_METHODS.includes(init.method) ||
      init.headers.has("idempotency-key");
  }

  /** Makes an attempt, unless it must not come after the others. */
  async attempt<T>(send: () => Promise<T>): Promise<T> {
    if (this.#attempts++ > 0) this.#check();
    try {
      return await send();
    } catch (error) {
      this.#lastError = error;
      throw error;
    }
  }

  #check(): void {
    const cause = this.#lastError;
    const why = this.#isStream
      ? "its body is a stream, which is gone"
      : "it may have had an effect, and has no Idempotency-Key";
    const hadNoEffect = cause instanceof NetworkError && cause.sent === "no";
    if (!this.#isStream && (this.#isIdempotent || hadNoEffect)) return;
    throw new RequestNotReplayableError(this.#request, why, { cause });
  }
}

/** Whether a status says that another attempt may succeed. */
export function isRetriableStatus(status: number): boolean {
  return RETRIABLE_STATUSES.includes(status);
}

function checkPolicy(policy: unknown, name: string): void {
  const isPolicy = typeof policy === "object" && policy !== null &&
    "run" in policy && typeof policy.run === "function";
  if (isPolicy) return;
  throw new TypeError(
    `Cannot create a session as "${name}" must give a policy: current value is ${
      show(policy)
    }`,
  );
}
