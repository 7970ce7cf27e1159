import { show } from "../_internal/check.ts";
import { listen } from "../_internal/signal.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { InvalidStateError } from "../primitives/errors.ts";
import { currentSignal } from "../primitives/scope.ts";
import { TcpLostError } from "./_tcp_errors.ts";

/** How much is read at once, at most. */
const READ_BYTES = 65_536;

/**
 * A connection over TCP; see `connectTcp` and `serveTcp`.
 *
 * It is closed when the scope is cancelled in which it was made, and at the end of
 * the block if it was declared with `using` or `await using`. A read that is
 * cancelled takes nothing: the next one gets it.
 *
 * @example Send, and read until the end
 * ```ts
 * import { connectTcp, serveTcp } from "@ilmek/async/tcp";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serveTcp(async (stream) => {
 *   for await (const chunk of stream) await stream.write(chunk);
 * }, { hostname: "127.0.0.1", port: 0 });
 * await using stream = await connectTcp(server.addr);
 * await stream.write("hello");
 * await stream.closeWrite();
 *
 * assertEquals(await stream.text(), "hello");
 * ```
 */
export class TcpStream implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly #native: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #unlisten: (() => void) | undefined;
  /** Invariant: set while the platform reads, though nobody may wait for it. */
  #reading: Promise<Uint8Array<ArrayBuffer> | undefined> | undefined;
  /** What is to be written goes out in the order of the calls. */
  #writing: Promise<void> = Promise.resolve();
  #isReading = false;
  #closed = false;
  /** Why it was closed, if it was not by its holder. */
  #closedBy: { readonly reason: unknown } | undefined;

  /**
   * Streams come from `connectTcp` and `serveTcp`.
   *
   * @internal
   */
  constructor(native: Deno.TcpConn) {
    this.#native = native;
    const signal = currentSignal();
    const cut = (reason: unknown): void => {
      this.#closedBy = { reason };
      this.close();
    };
    if (signal.aborted) cut(signal.reason);
    else this.#unlisten = listen(signal, cut);
  }

  /** The address of the other side. */
  get remoteAddr(): Deno.NetAddr {
    return this.#native.remoteAddr;
  }

  /** The address of this side. */
  get localAddr(): Deno.NetAddr {
    return this.#native.localAddr;
  }

  /** Whether it was closed on this side. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Waits for what comes next.
   *
   * @returns The bytes, or `undefined` at the end.
   * @throws {TcpLostError} If the connection breaks.
   * @throws {InvalidStateError} If it is closed, or somebody else reads.
   * @throws {CancelledError} If the ambient scope is cancelled; nothing is lost.
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isReading) {
      throw new InvalidStateError(
        `Cannot read from ${this.#name}: somebody reads from it already`,
      );
    }
    this.#checkOpen("read from");
    this.#isReading = true;
    try {
      const chunk = await abortable(this.#reading ??= this.#readNative());
      this.#reading = undefined;
      return chunk;
    } catch (error) {
      if (error instanceof TcpLostError) this.#reading = undefined;
      throw error;
    } finally {
      this.#isReading = false;
    }
  }

  /**
   * Gives what comes, until the other side has ended.
   *
   * @throws What `read` throws.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<
    Uint8Array<ArrayBuffer>,
    void,
    void
  > {
    for (let c = await this.read(); c !== undefined; c = await this.read()) {
      yield c;
    }
  }

  /**
   * Reads up to the end, as text in UTF-8.
   *
   * @returns The text.
   * @throws What `read` throws.
   */
  async text(): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of this) {
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  }

  /**
   * Writes all of it, and waits until the system has taken it: who writes faster
   * than the other side reads has to wait.
   *
   * What was begun goes out as a whole, also if the wait is cancelled.
   *
   * @param data The bytes, or a text, which is sent in UTF-8.
   * @throws {TcpLostError} If the connection breaks.
   * @throws {InvalidStateError} If it is closed.
   * @throws {TypeError} If `data` is neither bytes nor a string.
   * @throws {CancelledError} If the ambient scope is cancelled; if it was before,
   * nothing is written.
   */
  async write(data: string | Uint8Array): Promise<void> {
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot write as "data" must be bytes or a string: current value is ${
          show(data)
        }`,
      );
    }
    this.#checkOpen("write to");
    throwIfCancelled();
    const bytes = typeof data === "string"
      ? new TextEncoder().encode(data)
      : data;
    const written = this.#writing.then(() => this.#writeNative(bytes));
    // Who comes next learns of the failure by its own write.
    this.#writing = written.catch(() => {});
    await abortable(written);
  }

  /** Says that nothing more is written; what comes can still be read. */
  async closeWrite(): Promise<void> {
    this.#checkOpen("write to");
    await abortable(this.#writing);
    try {
      await abortable(this.#native.closeWrite());
    } catch (error) {
      throw this.#errorOf(error, "write to");
    }
  }

  /** Closes the connection at once. Closing twice does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlisten?.();
    try {
      this.#native.close();
    } catch {
      // The platform has closed it before.
    }
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the connection. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  get #name(): string {
    const { hostname, port } = this.remoteAddr;
    return `the connection to ${hostname}:${port}`;
  }

  async #readNative(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const size = await this.#native.read(this.#buffer);
      return size === null ? undefined : this.#buffer.slice(0, size);
    } catch (error) {
      throw this.#errorOf(error, "read from");
    }
  }

  async #writeNative(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(await this.#native.write(rest));
      }
    } catch (error) {
      throw this.#errorOf(error, "write to");
    }
  }

  #checkOpen(doing: string): void {
    if (this.#closed) throw this.#closedError(doing);
  }

  #errorOf(cause: unknown, doing: string): unknown {
    if (this.#closed) return this.#closedError(doing);
    return new TcpLostError(`Cannot ${doing} ${this.#name}: it was lost`, {
      cause,
    });
  }

  #closedError(doing: string): unknown {
    if (this.#closedBy !== undefined) return this.#closedBy.reason;
    return new InvalidStateError(
      `Cannot ${doing} ${this.#name}: it was closed`,
    );
  }
}
