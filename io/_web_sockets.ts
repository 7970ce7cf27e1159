import { Future } from "../primitives/future.ts";
import { workAfterAnswer } from "./_work_after_answer.ts";

/** What a client is told that is still connected: the server goes away. */
const GOING_AWAY = 1001;

/** The WebSockets of a server, which the platform does not keep account of. */
export class WebSockets {
  readonly #open = new Set<WebSocket>();
  #isClosing = false;

  /** Makes a WebSocket of a request, which is at work until it is closed. */
  upgrade(
    request: Request,
    options: Deno.UpgradeWebSocketOptions = {},
  ): Deno.WebSocketUpgrade {
    const upgrade = Deno.upgradeWebSocket(request, options);
    const { socket, response } = upgrade;
    const gone = new Future<void>({ name: "the close of its WebSocket" });
    workAfterAnswer.set(response, gone);
    this.#open.add(socket);
    // An error is followed by a close.
    socket.addEventListener("close", () => {
      this.#open.delete(socket);
      if (!gone.done) gone.setResult();
    });
    socket.addEventListener("open", () => {
      if (this.#isClosing) socket.close(GOING_AWAY);
    });
    return upgrade;
  }

  /** Closes all of them; those that come to be open later, too. */
  close(): void {
    this.#isClosing = true;
    for (const socket of this.#open) {
      if (socket.readyState === WebSocket.OPEN) socket.close(GOING_AWAY);
    }
  }
}
