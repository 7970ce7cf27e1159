import { InvalidStateError } from "../_internal/errors.ts";

/** Thrown by `getNowait` if there is nothing in the queue. */
export class QueueEmptyError extends RangeError {
  static {
    this.prototype.name = "QueueEmptyError";
  }
}

/** Thrown by `putNowait` if nothing more fits. */
export class QueueFullError extends RangeError {
  static {
    this.prototype.name = "QueueFullError";
  }
}

/** Thrown where a queue was shut down, and the call can never succeed. */
export class QueueShutDownError extends InvalidStateError {
  static {
    this.prototype.name = "QueueShutDownError";
  }
}
