import { listenTo, UnsupportedSignalError } from "./_os_signals.ts";

/** Who is told what happens to the process. */
export interface ProcessListener {
  onSignal(name: "SIGINT" | "SIGTERM"): void;
  /** Called with an error that nobody has caught. */
  onUncaught(message: string, error: unknown): void;
}

/**
 * Listens to what ends a process otherwise: signals, and errors that nobody catches.
 *
 * @returns What ends the listening: then they have their usual effect again.
 */
export function guardProcess(listener: ProcessListener): () => void {
  const undo: (() => void)[] = [];
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    try {
      undo.push(listenTo([name], () => listener.onSignal(name)));
    } catch (error) {
      // Some platforms have only one of them.
      if (!(error instanceof UnsupportedSignalError)) throw error;
    }
  }
  const onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    listener.onUncaught(
      "Cannot go on: nobody has looked at a promise that was rejected",
      event.reason,
    );
  };
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    listener.onUncaught(
      "Cannot go on: nobody has caught an error",
      event.error,
    );
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return () => {
    for (const remove of undo.splice(0)) remove();
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  };
}
