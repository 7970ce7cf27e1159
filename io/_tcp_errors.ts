/** Thrown if a connection over TCP cannot be made. */
export class TcpConnectError extends Error {
  static {
    this.prototype.name = "TcpConnectError";
  }
  /** The name or address of the other side. */
  readonly hostname: string;
  /** Its port. */
  readonly port: number;

  /** Creates the error; `options.cause` is what the platform has thrown. */
  constructor(hostname: string, port: number, options: ErrorOptions) {
    const { cause } = options;
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot connect to ${hostname}:${port}: ${why}`, { cause });
    this.hostname = hostname;
    this.port = port;
  }
}

/** Thrown if a connection over TCP breaks, such as by a reset. */
export class TcpLostError extends Error {
  static {
    this.prototype.name = "TcpLostError";
  }
}
