import { isThenable } from "../_internal/check.ts";

/** Says that nothing comes out of a stage. */
export const SKIP: unique symbol = Symbol("nothing comes out");

/** What is done to each item on its way. It belongs to one run. */
export interface Stage {
  /** Whether no more items are wanted; `undefined` if that is never so. */
  readonly done: boolean | undefined;
  /** Set if `push` calls nobody's function, and nothing ever comes out. */
  readonly isSink?: true;
  /** What an item becomes: something, `SKIP`, or a promise of these. */
  push(item: unknown): unknown;
  /** What comes out when no more items go in. */
  flush(): unknown;
}

/** Makes a stage for one run. */
export type StageMaker = () => Stage;

type Mapper = (item: unknown, index: number) => unknown;

/** Gives what a function makes of each item. */
export class MapStage implements Stage {
  readonly done = undefined;
  readonly #fn: Mapper;
  #index = 0;

  constructor(fn: Mapper) {
    this.#fn = fn;
  }

  push(item: unknown): unknown {
    return this.#fn(item, this.#index++);
  }

  flush(): unknown {
    return SKIP;
  }
}

/** Gives the items for which a function says so. */
export class FilterStage implements Stage {
  readonly done = undefined;
  readonly #fn: Mapper;
  #index = 0;

  constructor(fn: Mapper) {
    this.#fn = fn;
  }

  push(item: unknown): unknown {
    const passes = this.#fn(item, this.#index++);
    if (isThenable(passes)) return passes.then((it) => it ? item : SKIP);
    return passes ? item : SKIP;
  }

  flush(): unknown {
    return SKIP;
  }
}

/** Gives items until a function says no. */
export class TakeWhileStage implements Stage {
  done = false;
  readonly #fn: Mapper;
  #index = 0;

  constructor(fn: Mapper) {
    this.#fn = fn;
  }

  push(item: unknown): unknown {
    const passes = this.#fn(item, this.#index++);
    if (isThenable(passes)) return passes.then((it) => this.#judge(item, it));
    return this.#judge(item, passes);
  }

  flush(): unknown {
    return SKIP;
  }

  #judge(item: unknown, passes: unknown): unknown {
    if (passes) return item;
    this.done = true;
    return SKIP;
  }
}

/** Leaves out items until a function says no. */
export class DropWhileStage implements Stage {
  readonly done = undefined;
  readonly #fn: Mapper;
  #index = 0;
  #open = false;

  constructor(fn: Mapper) {
    this.#fn = fn;
  }

  push(item: unknown): unknown {
    if (this.#open) return item;
    const drops = this.#fn(item, this.#index++);
    if (isThenable(drops)) return drops.then((it) => this.#judge(item, it));
    return this.#judge(item, drops);
  }

  flush(): unknown {
    return SKIP;
  }

  #judge(item: unknown, drops: unknown): unknown {
    if (drops) return SKIP;
    this.#open = true;
    return item;
  }
}

/** Gives so many items. */
export class TakeStage implements Stage {
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  get done(): boolean {
    return this.#left <= 0;
  }

  push(item: unknown): unknown {
    this.#left--;
    return item;
  }

  flush(): unknown {
    return SKIP;
  }
}

/** Leaves out so many items. */
export class DropStage implements Stage {
  readonly done = undefined;
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  push(item: unknown): unknown {
    if (this.#left <= 0) return item;
    this.#left--;
    return SKIP;
  }

  flush(): unknown {
    return SKIP;
  }
}

/** Gives lists of so many items; the last may be shorter. */
export class BatchStage implements Stage {
  readonly done = undefined;
  readonly #size: number;
  #items: unknown[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  push(item: unknown): unknown {
    this.#items.push(item);
    if (this.#items.length < this.#size) return SKIP;
    const full = this.#items;
    this.#items = [];
    return full;
  }

  flush(): unknown {
    return this.#items.length === 0 ? SKIP : this.#items;
  }
}

/** Calls a function with each item, and gives the item itself. */
export class TapStage implements Stage {
  readonly done = undefined;
  readonly #fn: Mapper;
  #index = 0;

  constructor(fn: Mapper) {
    this.#fn = fn;
  }

  push(item: unknown): unknown {
    const told = this.#fn(item, this.#index++);
    return isThenable(told) ? told.then(() => item) : item;
  }

  flush(): unknown {
    return SKIP;
  }
}

/** How items are folded into one value. */
export type Fold = (sum: unknown, item: unknown, index: number) => unknown;

/** Folds all items into one value. */
export class FoldStage implements Stage {
  readonly done = undefined;
  /** What came of it so far; `SKIP` if there was nothing to start with. */
  sum: unknown;
  readonly #fold: Fold;
  #index = 0;

  constructor(fold: Fold, first: unknown) {
    this.#fold = fold;
    this.sum = first;
  }

  push(item: unknown): unknown {
    const index = this.#index++;
    if (this.sum === SKIP) return this.#keep(item);
    const sum = this.#fold(this.sum, item, index);
    if (isThenable(sum)) return sum.then((it) => this.#keep(it));
    return this.#keep(sum);
  }

  flush(): unknown {
    return SKIP;
  }

  #keep(sum: unknown): unknown {
    this.sum = sum;
    return SKIP;
  }
}

/** Gives the first item for which a function says so, and wants no more. */
export class FindStage implements Stage {
  done = false;
  readonly #fn: Mapper;
  #index = 0;

  constructor(fn: Mapper) {
    this.#fn = fn;
  }

  push(item: unknown): unknown {
    const found = this.#fn(item, this.#index++);
    if (isThenable(found)) return found.then((it) => this.#judge(item, it));
    return this.#judge(item, found);
  }

  flush(): unknown {
    return SKIP;
  }

  #judge(item: unknown, found: unknown): unknown {
    if (!found) return SKIP;
    this.done = true;
    return item;
  }
}

/** Takes all items, for the library itself. */
export class SinkStage implements Stage {
  readonly done = undefined;
  readonly isSink = true;
  readonly #sink: (item: unknown) => void;

  constructor(sink: (item: unknown) => void = () => {}) {
    this.#sink = sink;
  }

  push(item: unknown): unknown {
    this.#sink(item);
    return SKIP;
  }

  flush(): unknown {
    return SKIP;
  }
}
