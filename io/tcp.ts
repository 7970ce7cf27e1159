/**
 * Connections over TCP that end with the ambient scope: a client, and a server with
 * a task and a scope for each connection.
 *
 * It needs the permission `net` for the addresses.
 *
 * ```ts ignore
 * import { connectTcp, serveTcp } from "@ilmek/async/tcp";
 *
 * const server = serveTcp(async (stream) => {
 *   for await (const chunk of stream) await stream.write(chunk);
 * }, { port: 7000 });
 *
 * await using stream = await connectTcp({ hostname: "127.0.0.1", port: 7000 });
 * await stream.write("hello");
 * ```
 *
 * @module
 */
import {
  checkCount,
  type Duration,
  show,
  toLimitMs,
} from "../_internal/check.ts";
import { abortable, throwIfCancelled } from "../primitives/checkpoint.ts";
import { timeout } from "../primitives/timeout.ts";
import { TcpConnectError } from "./_tcp_errors.ts";
import {
  type ServeTcpOptions,
  type TcpHandler,
  TcpServer,
} from "./_tcp_server.ts";
import { TcpStream } from "./_tcp_stream.ts";

export type { Duration } from "../_internal/check.ts";
export { TcpConnectError, TcpLostError } from "./_tcp_errors.ts";
export {
  type ServeTcpOptions,
  type TcpHandler,
  TcpServer,
  type TcpShutdownOptions,
} from "./_tcp_server.ts";
export { TcpStream } from "./_tcp_stream.ts";

const MAX_PORT = 65_535;

/** Where to connect to. */
export interface TcpAddress {
  /** The name or address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** Options of {@linkcode connectTcp}. */
export interface ConnectTcpOptions {
  /**
   * How long it may take to connect; `null` for ever.
   *
   * @default {30_000}
   */
  timeoutMs?: Duration | null;
  /** Ends the wait when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * Connects over TCP.
 *
 * @param address Where to.
 * @param options Additional options.
 * @returns The connection, which ends with the present scope.
 * @throws {TcpConnectError} If it cannot be made.
 * @throws {TimeoutError} If it takes too long.
 * @throws {TypeError} If the address is none.
 * @throws {RangeError} If a number lies outside its range.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws The reason of `options.signal`, if it aborts before.
 *
 * @example Ask a server
 * ```ts
 * import { connectTcp, serveTcp } from "@ilmek/async/tcp";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serveTcp(
 *   (stream) => stream.write("welcome"),
 *   { hostname: "127.0.0.1" },
 * );
 * await using stream = await connectTcp(server.addr);
 *
 * assertEquals(await stream.text(), "welcome");
 * ```
 */
export async function connectTcp(
  address: TcpAddress,
  options: ConnectTcpOptions = {},
): Promise<TcpStream> {
  const { timeoutMs = 30_000, signal } = options;
  const { hostname, port } = address;
  if (typeof hostname !== "string" || hostname === "") {
    throw new TypeError(
      `Cannot connect as "hostname" must be a name or an address: current value is ${
        show(hostname)
      }`,
    );
  }
  checkCount(port, "connect", "port");
  if (port > MAX_PORT) {
    throw new RangeError(
      `Cannot connect as "port" must be at most ${MAX_PORT}: current value is ${port}`,
    );
  }
  const ms = toLimitMs(timeoutMs, "connect", "timeoutMs");
  throwIfCancelled();
  signal?.throwIfAborted();
  const connecting = Deno.connect({ hostname, port }).catch((cause) => {
    throw new TcpConnectError(hostname, port, { cause });
  });
  let native: Deno.TcpConn;
  try {
    native = await timeout(
      ms,
      () => abortable(connecting, signal === undefined ? {} : { signal }),
      { label: `connecting to ${hostname}:${port}` },
    );
  } catch (error) {
    // One that comes too late is of no use.
    connecting.then((native) => native.close(), () => {});
    throw error;
  }
  return new TcpStream(native);
}

/**
 * Serves TCP: calls `handler` for each connection, in a task and a scope of its own
 * below the present scope. The connection is closed when `handler` has ended.
 *
 * When the present scope is cancelled, the server drains, as by
 * {@linkcode TcpServer.shutdown}.
 *
 * @param handler What answers a connection.
 * @param options Additional options.
 * @returns The server, which listens.
 * @throws {TypeError} If a function is none.
 * @throws {RangeError} If a number lies outside its range.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws What the platform throws if the address cannot be had.
 *
 * @example Answer each line in capitals
 * ```ts
 * import { connectTcp, serveTcp } from "@ilmek/async/tcp";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serveTcp(async (stream) => {
 *   await stream.write((await stream.text()).toUpperCase());
 * }, { hostname: "127.0.0.1" });
 * await using stream = await connectTcp(server.addr);
 * await stream.write("hello");
 * await stream.closeWrite();
 *
 * assertEquals(await stream.text(), "HELLO");
 * ```
 */
export function serveTcp(
  handler: TcpHandler,
  options: ServeTcpOptions = {},
): TcpServer {
  return new TcpServer(handler, options);
}
