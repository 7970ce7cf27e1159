import type { Claim, Holder } from "./claim.ts";
import type { EventLoop } from "./event_loop.ts";

/** How many waits are looked at: in debug mode, each wait is the end of a chain. */
const MAX_LOOKS = 256;

/**
 * The waits that stand in a circle with this one: each is for what the next one's
 * task holds. `undefined` if somebody outside of a circle can end it.
 */
export function circleOf(claim: Claim): Claim[] | undefined {
  const seen = new Set<Holder>();
  const open: Step[] = [{ claim, before: undefined }];
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const step = open.pop();
    if (step === undefined) return undefined;
    const { line } = step.claim;
    if (line?.shared) continue;
    for (const holder of line?.holders?.() ?? []) {
      if (holder === claim.frame.actor) return trailOf(step);
      if (seen.has(holder)) continue;
      seen.add(holder);
      for (const next of holder.waits?.() ?? []) {
        open.push({ claim: next, before: step });
      }
    }
  }
  return undefined;
}

/** A wait, and the one that led to it. */
interface Step {
  readonly claim: Claim;
  readonly before: Step | undefined;
}

function trailOf(last: Step): Claim[] {
  const trail: Claim[] = [];
  for (let s: Step | undefined = last; s !== undefined; s = s.before) {
    trail.push(s.claim);
  }
  return trail.reverse();
}

/** Tells of a wait that closes a circle; for debug mode. */
export function reportCircle(claim: Claim): void {
  const circle = circleOf(claim);
  if (circle === undefined) return;
  claim.frame.loop.report({
    message: `Cannot go on: these wait for each other\n${linesOf(circle)}`,
  });
}

/** All waits of a loop, a line each: who waits, for what, and who holds it. */
export function describeWaits(loop: EventLoop): string {
  return linesOf([...claimsOf(loop)]);
}

/**
 * Tells, once, that a run cannot go on: all tasks wait, and nothing that the loop
 * knows of can wake one.
 */
export class DeadlockWatch {
  readonly #loop: EventLoop;
  /** The waits at the last look, if they looked like a deadlock. */
  #stuck = "";
  #told = false;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Two looks in a row that find the same waits are taken as a deadlock. */
  look(): void {
    if (this.#told) return;
    const before = this.#stuck;
    this.#stuck = isStuck(this.#loop) ? describeWaits(this.#loop) : "";
    if (this.#stuck === "" || this.#stuck !== before) return;
    this.#told = true;
    this.#loop.report({
      message:
        `Cannot go on: a deadlock, or a source that was not registered; these wait\n${this.#stuck}`,
    });
  }
}

function isStuck(loop: EventLoop): boolean {
  if (loop.timers.busy > 0 || loop.isOpen) return false;
  const waits = waitsByTask(loop);
  const actors = [...loop.actors()];
  return actors.length > 0 && actors.every((actor) => waits.has(actor));
}

function linesOf(claims: readonly Claim[]): string {
  return claims.map((claim) => `  ${describe(claim)}`).join("\n");
}

function describe(claim: Claim): string {
  const holders = [...claim.line?.holders?.() ?? []]
    .map(({ label }) => label)
    // A task that is waited for holds only itself.
    .filter((label) => !claim.label.endsWith(label));
  if (holders.length === 0) return claim.label;
  return `${claim.label}, held by ${holders.join(", ")}`;
}

function waitsByTask(loop: EventLoop): Map<Holder, Claim[]> {
  const waits = new Map<Holder, Claim[]>();
  for (const claim of claimsOf(loop)) {
    const { actor } = claim.frame;
    if (actor === undefined) continue;
    const own = waits.get(actor);
    if (own === undefined) waits.set(actor, [claim]);
    else own.push(claim);
  }
  return waits;
}

function* claimsOf(loop: EventLoop): Generator<Claim> {
  for (const scope of [loop.root, ...loop.root.descendants()]) {
    yield* scope.claims();
  }
}
