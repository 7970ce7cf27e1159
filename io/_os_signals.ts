/** Thrown where the platform cannot tell of a signal: it has none of that name, or keeps it. */
export class UnsupportedSignalError extends TypeError {
  static {
    this.prototype.name = "UnsupportedSignalError";
  }
  /** The name of the signal. */
  readonly signal: string;
  /** The platform, such as `linux`. */
  readonly os: string;

  /** Creates the error; `options.cause` is what the platform has said. */
  constructor(signal: string, options: ErrorOptions = {}) {
    const { os } = Deno.build;
    super(
      `Cannot listen to the signal "${signal}": "${os}" does not offer it`,
      options,
    );
    this.signal = signal;
    this.os = os;
  }
}

/** Calls `fn` for each signal, until the function that comes back is called. */
export function listenTo(
  names: readonly Deno.Signal[],
  fn: (name: Deno.Signal) => void,
): () => void {
  const undo: (() => void)[] = [];
  const stop = (): void => {
    for (const remove of undo.splice(0)) remove();
  };
  try {
    for (const name of new Set(names)) undo.push(listenToOne(name, fn));
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

function listenToOne(
  name: Deno.Signal,
  fn: (name: Deno.Signal) => void,
): () => void {
  const listener = (): void => fn(name);
  try {
    Deno.addSignalListener(name, listener);
  } catch (error) {
    throw new UnsupportedSignalError(name, { cause: error });
  }
  return () => Deno.removeSignalListener(name, listener);
}
