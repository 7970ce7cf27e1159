import { checkCount } from "../_internal/check.ts";
import { type Claim, ClaimList, type LineOwner } from "../_internal/claim.ts";
import { Permit, type PermitSource } from "../_internal/permit.ts";

/** Thrown where more permits are given back than there may be. */
export class SemaphoreReleaseError extends RangeError {
  static {
    this.prototype.name = "SemaphoreReleaseError";
  }
}

/** What somebody would like to have. */
export interface Need {
  readonly count: number;
  /** Who has less comes first. */
  readonly rank: number;
}

const ONE: Need = { count: 1, rank: 0 };

/** How much of something is left, and who waits for a share. */
export class Shares implements PermitSource, LineOwner {
  /** How messages and reports call it. */
  readonly label: string;
  readonly max: number;
  readonly line: ClaimList = new ClaimList(this);
  /** How much nobody holds. Invariant: less than the head of the line needs. */
  free: number;

  constructor(label: string, free: number, max: number) {
    this.label = label;
    this.free = free;
    this.max = max;
  }

  /** What that many shares mean in line. */
  need(count: number, rank: number): Need {
    return count === 1 && rank === 0 ? ONE : { count, rank };
  }

  /** Takes what is needed, unless it is not there, or others come first. */
  tryTake(need: Need): Permit | undefined {
    if (this.free < need.count || !this.#comesFirst(need)) return undefined;
    return this.#take(need.count);
  }

  park(claim: Claim, need: Need): void {
    claim.value = need;
    this.line.insert(claim, (other) => needOf(other).rank > need.rank);
  }

  /** Puts shares back, or adds new ones, and serves who waits. */
  give(count: number): void {
    const free = this.free + count;
    if (free > this.max) {
      throw new SemaphoreReleaseError(
        `Cannot release ${this.label}: ${free} permits would be free of ${this.max}`,
      );
    }
    this.free = free;
    this.#serve();
  }

  takeBack(): void {
    this.give(1);
  }

  /** Whoever stood in the way of others has left. */
  withdrawn(): void {
    this.#serve();
  }

  #comesFirst(need: Need): boolean {
    const { head } = this.line;
    return head === undefined || needOf(head).rank > need.rank;
  }

  #take(count: number): Permit {
    this.free -= count;
    return new Permit(count === 1 ? this : new Bundle(this, count));
  }

  #serve(): void {
    for (
      let head = this.line.head;
      head !== undefined && needOf(head).count <= this.free;
      head = this.line.head
    ) {
      const { count } = needOf(head);
      this.line.shift();
      head.grant(this.#take(count));
    }
  }
}

/** Several shares that come and go at once. */
class Bundle implements PermitSource {
  readonly #shares: Shares;
  readonly #count: number;

  constructor(shares: Shares, count: number) {
    this.#shares = shares;
    this.#count = count;
  }

  takeBack(): void {
    this.#shares.give(this.#count);
  }
}

/** Throws unless `count` is a number of shares that may ever be there. */
export function checkShares(
  count: number,
  doing: string,
  max: number,
): number {
  checkCount(count, doing, "count");
  if (count <= max && count < Infinity) return count;
  throw new RangeError(
    `Cannot ${doing} as "count" must be an integer <= ${
      max === Infinity ? Number.MAX_SAFE_INTEGER : max
    }: current value is ${count}`,
  );
}

function needOf(claim: Claim): Need {
  return claim.value as Need;
}
