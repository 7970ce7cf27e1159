import type { WireValue } from "./_wire_error.ts";

/** What a worker is to run: an export of a module, or the source of a function. */
export type WorkerTarget =
  | { readonly kind: "export"; readonly module: string; readonly name: string }
  | { readonly kind: "source"; readonly source: string };

/** What the one who starts a worker sends to it. */
export type WorkerRequest =
  | {
    readonly kind: "run";
    readonly target: WorkerTarget;
    readonly args: readonly unknown[];
    readonly debug: boolean;
    /** One number, which is 1 once the work is to end. */
    readonly flag: SharedArrayBuffer;
  }
  | { readonly kind: "cancel" };

/** What a worker sends back. */
export type WorkerAnswer =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly error: WireValue }
  /** The request to end has been seen: the worker does not spin. */
  | { readonly kind: "ending" }
  /** The worker is about to end by itself. */
  | { readonly kind: "closing"; readonly by: string };
