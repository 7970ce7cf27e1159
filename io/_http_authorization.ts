import { checkFunction } from "../_internal/check.ts";
import { SingleFlight } from "../patterns/single_flight.ts";
import type { HttpExchange } from "./_http_exchange.ts";

/** What the option `authorize` of a session receives. */
export interface HttpAuthorizeContext {
  /** Whether the server has refused the headers that were given before. */
  readonly refused: boolean;
  /** Fires when no request waits for the headers any more. */
  readonly signal: AbortSignal;
}

/** Gives the headers by which a server knows who asks. */
export type HttpAuthorize = (
  context: HttpAuthorizeContext,
) => HeadersInit | PromiseLike<HeadersInit>;

/** The headers that all requests of a session share, until a server refuses them. */
export class HttpAuthorization {
  readonly #authorize: HttpAuthorize;
  readonly #flight = new SingleFlight<"headers", Headers>({
    name: "the authorization of a session",
  });
  #headers: Headers | undefined = undefined;

  constructor(authorize: HttpAuthorize) {
    checkFunction(authorize, "create a session", "authorize");
    this.#authorize = authorize;
  }

  /**
   * Gives the headers, and new ones in place of those that were refused: whoever
   * comes later with the same refused ones gets what was made meanwhile.
   */
  async headers(
    refused: Headers | undefined,
    exchange: HttpExchange,
  ): Promise<Headers> {
    if (this.#headers !== undefined && this.#headers !== refused) {
      return this.#headers;
    }
    const ask = async ({ signal }: { signal: AbortSignal }) => {
      const context = { refused: refused !== undefined, signal };
      return this.#headers = new Headers(await this.#authorize(context));
    };
    const { signal } = exchange;
    return await exchange.within(this.#flight.run("headers", ask, { signal }));
  }
}
