import { Claim, ClaimList, type Line } from "../../../_internal/claim.ts";
import { currentFrame } from "../../../_internal/frame.ts";
import { refusal } from "../../../_internal/refuse.ts";

/** Pitfall 2: a cancelled head leaves others asleep behind it. */
export class SleepingSemaphore implements Line {
  available: number;
  readonly #waiters = new ClaimList();

  constructor(permits: number) {
    this.available = permits;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  async acquire(count = 1): Promise<void> {
    const frame = currentFrame();
    const refused = refusal(frame, "acquire");
    if (refused !== undefined) return refused;
    if (this.tryAcquire(count)) return;
    const claim = new Claim<void>(frame, "permits");
    claim.value = count;
    this.#waiters.push(claim as Claim);
    claim.line = this;
    await claim.wait();
  }

  tryAcquire(count = 1): boolean {
    if (this.waiting > 0 || this.available < count) return false;
    this.available -= count;
    return true;
  }

  release(count = 1): void {
    this.available += count;
    this.#grant();
  }

  withdraw(claim: Claim): void {
    this.#waiters.withdraw(claim);
  }

  #grant(): void {
    for (let next = this.#waiters.head; next; next = this.#waiters.head) {
      const count = next.value as number;
      if (count > this.available) return;
      this.#waiters.shift();
      this.available -= count;
      next.grant(undefined);
    }
  }
}
