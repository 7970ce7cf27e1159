import type { EventLoop, Unobserved } from "./event_loop.ts";
import type { Outcome } from "./outcome.ts";

/**
 * Sees to it that a failure that nobody looks at is told: in 5 s, at the end of
 * the run, or when it is collected, whatever comes first.
 */
export function watchFailure(
  outcome: Outcome<never> | Outcome<unknown>,
  loop: EventLoop,
  what: string,
  createdAt?: string,
): void {
  if (outcome.observed) return;
  const entry: Unobserved = {
    at: loop.time(),
    seen: false,
    context: {
      message: `Nobody has looked at ${what}, which failed`,
      exception: outcome.value,
      ...(createdAt === undefined ? {} : { createdAt }),
    },
  };
  outcome.reportedBy(entry);
  loop.watchUnobserved(entry);
  collected.register(outcome, { loop, entry });
}

const collected = new FinalizationRegistry<
  { loop: EventLoop; entry: Unobserved }
>(({ loop, entry }) => loop.reportOnce(entry));
