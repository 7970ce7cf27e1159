import type { EventLoop } from "../_internal/event_loop.ts";
import type { Frame } from "../_internal/frame.ts";
import type { ScopeNode } from "../_internal/scope_node.ts";

/** Something on a loop that has not ended. */
export interface Leftover {
  /** What it is called. */
  readonly label: string;
  /** The scope that it belongs to, if it belongs to one. */
  readonly scope: ScopeNode | undefined;
}

/** What is on a loop: scopes, waits, timers and holds. */
export function leftoversOf(loop: EventLoop): Map<object, Leftover> {
  const left = new Map<object, Leftover>();
  for (const scope of [loop.root, ...loop.root.descendants()]) {
    if (scope !== loop.root) {
      left.set(scope, { label: `scope "${scope.title}"`, scope });
    }
    for (const claim of scope.claims()) {
      left.set(claim, { label: claim.label, scope });
    }
  }
  for (const target of loop.timers.targets()) {
    // What has a timer may be there already: one line tells both.
    if (left.has(target)) continue;
    left.set(target, { label: `a timer: ${target.label}`, scope: undefined });
  }
  for (const hold of loop.holds) {
    left.set(hold, { label: `a hold: ${hold.what}`, scope: undefined });
  }
  return left;
}

/** What is on the loop of `frame`, without the scopes in which it runs. */
export function leftoversBeside(frame: Frame): Map<object, Leftover> {
  const left = leftoversOf(frame.loop);
  for (const scope of scopesAround(frame.scope)) left.delete(scope);
  return left;
}

/** What is in `now` and was not in `before`, nor belongs to what was. */
export function newLeftovers(
  before: ReadonlyMap<object, Leftover>,
  now: ReadonlyMap<object, Leftover>,
): string[] {
  const labels: string[] = [];
  for (const [thing, { label, scope }] of now) {
    if (before.has(thing)) continue;
    // What was there before goes on meanwhile: it may wait for something else now.
    if ([...scopesAround(scope)].some((s) => before.has(s))) continue;
    labels.push(label);
  }
  return labels;
}

function* scopesAround(
  scope: ScopeNode | undefined,
): Generator<ScopeNode> {
  for (let s = scope; s !== undefined; s = s.parent) yield s;
}
