import { abortable } from "../primitives/checkpoint.ts";

/** What a client is told that is still connected: the server goes away. */
const GOING_AWAY = 1001;

/** The WebSockets of a server, which the platform does not keep account of. */
export class WebSockets {
  /** Those that are not closed, and what reports call them. */
  readonly #open = new Map<WebSocket, string>();
  readonly #empty = Promise.withResolvers<void>();
  #isClosing = false;

  /** What reports call those that are open. */
  get names(): string[] {
    return [...this.#open.values()];
  }

  /** Makes a WebSocket of a request. */
  upgrade(
    request: Request,
    options: Deno.UpgradeWebSocketOptions = {},
  ): Deno.WebSocketUpgrade {
    const upgrade = Deno.upgradeWebSocket(request, options);
    const { socket } = upgrade;
    this.#open.set(socket, `WebSocket ${new URL(request.url).pathname}`);
    // An error is followed by a close.
    socket.addEventListener("close", () => this.#gone(socket));
    socket.addEventListener("open", () => {
      if (this.#isClosing) socket.close(GOING_AWAY);
    });
    return upgrade;
  }

  /** Closes all of them; those that come to be open later, too. */
  close(): void {
    this.#isClosing = true;
    for (const socket of this.#open.keys()) {
      if (socket.readyState === WebSocket.OPEN) socket.close(GOING_AWAY);
    }
    this.#check();
  }

  /** Waits until all are gone, after `close`. */
  async untilGone(): Promise<void> {
    await abortable(this.#empty.promise);
  }

  #gone(socket: WebSocket): void {
    this.#open.delete(socket);
    this.#check();
  }

  #check(): void {
    if (this.#isClosing && this.#open.size === 0) this.#empty.resolve();
  }
}
