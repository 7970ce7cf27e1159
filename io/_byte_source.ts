import { abortable } from "../primitives/checkpoint.ts";
import { InvalidStateError } from "../primitives/errors.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/**
 * A stream of the platform that can be ended at any time, whoever reads from it:
 * a child's child may keep the other end of a pipe open for ever.
 */
export class ByteSource {
  readonly #reader: Reader;
  readonly #what: string;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #isTaken = false;

  /** `what` is how errors call it. */
  constructor(
    native: ReadableStream<Uint8Array<ArrayBuffer>>,
    what: string,
  ) {
    this.#reader = native.getReader();
    this.#what = what;
  }

  /** A stream of the platform. To read from it is no wait. */
  get stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#stream !== undefined) return this.#stream;
    const next = this.take();
    return this.#stream = new ReadableStream({
      pull: async (controller) => {
        const chunk = await next();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => this.cancel(),
    }, { highWaterMark: 0 });
  }

  /** Gives what comes. To leave the loop drops the rest. */
  async *chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    const next = this.take();
    try {
      for (;;) {
        const chunk = await abortable(next());
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      await this.cancel();
    }
  }

  /** Takes it, which can be done once, and gives what reads a piece. */
  take(): () => Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isTaken) {
      throw new InvalidStateError(
        `Cannot read ${this.#what}: somebody reads it already`,
      );
    }
    this.#isTaken = true;
    return async () => (await this.#reader.read()).value;
  }

  /** Ends it, and drops what was not read. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}

/** The last bytes of what is much longer. */
export class ByteTail {
  readonly #maxBytes: number;
  #bytes: Uint8Array = new Uint8Array();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Uint8Array): void {
    const all = joinBytes([this.#bytes, chunk]);
    this.#bytes = all.subarray(Math.max(0, all.length - this.#maxBytes));
  }

  get text(): string {
    return new TextDecoder().decode(this.#bytes);
  }
}

/** Puts pieces together. */
export function joinBytes(
  parts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const part of parts) size += part.length;
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
