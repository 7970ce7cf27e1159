/**
 * A door in front of a server: it passes connections on, and cuts some of them when
 * a request comes, so that there is no answer at all.
 */

/** Options of {@linkcode FlakyDoor}. */
export interface FlakyDoorOptions {
  /** Where the server listens. */
  readonly port: number;
  /** Says of each request whether its connection is cut. */
  readonly isCut: () => boolean;
}

/** The door; it is open as soon as it is made. */
export class FlakyDoor implements AsyncDisposable {
  readonly #options: FlakyDoorOptions;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #passing = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(options: FlakyDoorOptions) {
    this.#options = options;
    this.#accepting = this.#accept();
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Lets nobody in any more, and waits until the server has let all go. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#passing);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      const passing = this.#pass(client);
      this.#passing.add(passing);
      passing.finally(() => this.#passing.delete(passing));
    }
  }

  async #pass(client: Deno.TcpConn): Promise<void> {
    const { port, isCut } = this.#options;
    let server: Deno.TcpConn;
    try {
      server = await Deno.connect({ hostname: "127.0.0.1", port });
    } catch {
      // The server has closed before its door.
      return client.close();
    }
    // Small packets are not held back.
    for (const connection of [client, server]) connection.setNoDelay();
    const requests = pump(client, server, isCut);
    const answers = pump(server, client, () => false);
    await Promise.race([requests, answers]);
    // Who still reads from the other end is told by this, and ends.
    server.close();
    client.close();
    await Promise.all([requests, answers]);
  }
}

/** Passes on what comes, until there is no more, or no way. */
async function pump(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  isCut: () => boolean,
): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  try {
    for (;;) {
      const size = await from.read(buffer);
      if (size === null || isCut()) return;
      for (let sent = 0; sent < size;) {
        sent += await to.write(buffer.subarray(sent, size));
      }
    }
  } catch {
    // One end has gone: that is told by the return.
  }
}
