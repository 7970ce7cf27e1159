import { InvalidStateError } from "../_internal/errors.ts";

/** Thrown when an end of a channel is used that was closed, or has run dry. */
export class ChannelClosedError extends InvalidStateError {
  static {
    this.prototype.name = "ChannelClosedError";
  }
}

/** Thrown when an item cannot arrive: all receivers are gone. It holds the item. */
export class BrokenChannelError<T = unknown> extends InvalidStateError {
  static {
    this.prototype.name = "BrokenChannelError";
  }
  /** What was to be sent. */
  readonly item: T;

  /** Creates the error of one item. */
  constructor(item: T) {
    super("Cannot send an item: all receivers are closed");
    this.item = item;
  }
}

/** Thrown where there is no room, and the channel is not to wait for it. */
export class ChannelFullError extends RangeError {
  static {
    this.prototype.name = "ChannelFullError";
  }
}
