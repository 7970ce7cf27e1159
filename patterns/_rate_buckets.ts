import type {
  Rate,
  RateAlgorithm,
  TokenBucketState,
} from "./rate_algorithms.ts";

/** The state is the moment at which the bucket is full: "TAT" in the literature. */
export class Gcra implements RateAlgorithm<number> {
  readonly name = "gcra";
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
  readonly initial = 0;
  /** In how long one token comes back. */
  readonly #interval: number;

  constructor({ limit, perMs, burst }: Rate) {
    this.limit = limit;
    this.perMs = perMs;
    this.burst = burst;
    this.#interval = perMs / limit;
  }

  readyAt(fullAt: number, cost: number): number {
    return fullAt - (this.burst - cost) * this.#interval;
  }

  take(fullAt: number, cost: number, now: number): number {
    return (fullAt > now ? fullAt : now) + cost * this.#interval;
  }

  refund(fullAt: number, cost: number): number {
    return fullAt - cost * this.#interval;
  }

  remaining(fullAt: number, now: number): number {
    if (fullAt <= now) return this.burst;
    return Math.max(0, this.burst - (fullAt - now) / this.#interval);
  }

  initialAt(fullAt: number): number {
    return fullAt;
  }
}

/** The same with the tokens in sight. Booked tokens are a number below 0. */
export class TokenBucket implements RateAlgorithm<TokenBucketState> {
  readonly name = "token-bucket";
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
  readonly initial: TokenBucketState;
  readonly #interval: number;

  constructor({ limit, perMs, burst }: Rate) {
    this.limit = limit;
    this.perMs = perMs;
    this.burst = burst;
    this.initial = { tokens: burst, at: 0 };
    this.#interval = perMs / limit;
  }

  readyAt({ tokens, at }: TokenBucketState, cost: number): number {
    return at + (cost - tokens) * this.#interval;
  }

  take(state: TokenBucketState, cost: number, now: number): TokenBucketState {
    const at = Math.max(now, state.at);
    return { tokens: this.#tokensAt(state, at) - cost, at };
  }

  refund({ tokens, at }: TokenBucketState, cost: number): TokenBucketState {
    return { tokens: Math.min(this.burst, tokens + cost), at };
  }

  remaining(state: TokenBucketState, now: number): number {
    return Math.max(0, this.#tokensAt(state, now));
  }

  initialAt({ tokens, at }: TokenBucketState): number {
    return at + (this.burst - tokens) * this.#interval;
  }

  #tokensAt({ tokens, at }: TokenBucketState, now: number): number {
    const passed = Math.max(0, now - at);
    return Math.min(this.burst, tokens + passed / this.#interval);
  }
}
