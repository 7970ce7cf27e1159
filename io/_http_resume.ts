import { sleep } from "../primitives/sleep.ts";
import { NetworkError } from "./_http_errors.ts";

/** The pause before the first attempt to go on; it doubles. */
const PAUSE_MS = 100;

const CONTENT_RANGE_REGEXP = /^bytes (\d+)-(\d+)\/(\d+|\*)$/;

/** How the rest of a body is asked for. */
export interface ResumePlan {
  /** How many attempts may be made. */
  readonly maxResumes: number;
  /** Sends the request again, with these headers besides its own. */
  readonly resend: (headers: Record<string, string>) => Promise<Response>;
  /** Ends a pause between attempts. */
  readonly signal: AbortSignal;
}

/**
 * Goes on with a body that has broken off.
 *
 * It does so only if the server says by a strong validator that it has not changed:
 * the parts of two different files fit together, and nobody would notice.
 */
export class Resumption {
  readonly #etag: string | undefined;
  readonly #totalBytes: number | undefined;
  readonly #plan: ResumePlan;
  #attempts = 0;

  constructor(method: string, response: Response, plan: ResumePlan) {
    this.#plan = plan;
    this.#etag = validatorOf(method, response);
    const total = Number(response.headers.get("content-length") ?? NaN);
    this.#totalBytes = Number.isSafeInteger(total) ? total : undefined;
  }

  /** The body from there on, or `undefined` if there is no way to go on. */
  async bodyFrom(
    receivedBytes: number,
    error: unknown,
  ): Promise<ReadableStream<Uint8Array> | undefined> {
    const { maxResumes, resend, signal } = this.#plan;
    const etag = this.#etag;
    if (etag === undefined || !(error instanceof NetworkError)) {
      return undefined;
    }
    while (this.#attempts < maxResumes) {
      await sleep(PAUSE_MS * 2 ** this.#attempts++, { signal });
      let response: Response;
      try {
        response = await resend({
          "range": `bytes=${receivedBytes}-`,
          "if-range": etag,
        });
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        continue;
      }
      if (response.body !== null && this.#fits(response, receivedBytes)) {
        return response.body;
      }
      await response.body?.cancel().catch(() => {});
      return undefined;
    }
    return undefined;
  }

  #fits({ status, headers }: Response, receivedBytes: number): boolean {
    if (status !== 206 || headers.get("etag") !== this.#etag) return false;
    const range = headers.get("content-range") ?? "";
    const [, first, last, total] = CONTENT_RANGE_REGEXP.exec(range) ?? [];
    if (Number(first) !== receivedBytes) return false;
    const totalBytes = this.#totalBytes;
    if (totalBytes === undefined) return true;
    return Number(last) === totalBytes - 1 &&
      (total === "*" || Number(total) === totalBytes);
  }
}

/** The strong validator of a response whose rest can be asked for. */
function validatorOf(
  method: string,
  { status, headers }: Response,
): string | undefined {
  const etag = headers.get("etag") ?? "";
  const isFit = method === "GET" && status === 200 && etag.startsWith('"') &&
    headers.get("accept-ranges") === "bytes" &&
    !headers.has("content-encoding");
  return isFit ? etag : undefined;
}
