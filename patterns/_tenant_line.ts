import type { Claim, Line } from "../_internal/claim.ts";
import { LinkedList } from "../_internal/linked_list.ts";
import { type Prioritized, PriorityLine } from "../_internal/priority_line.ts";
import { type CallPriority, PRIORITIES } from "./_call_class.ts";

/** One for whom calls are made. */
export class Tenant {
  readonly key: unknown;
  /** How many of its calls are under way. */
  running = 0;
  /** How many of its calls wait. */
  waiting = 0;
  /** Its calls that wait, by their level. */
  readonly rows: (Row | undefined)[] = [];

  constructor(key: unknown) {
    this.key = key;
  }
}

/** Calls of one tenant and one priority that wait, oldest first. */
class Row implements Line, Prioritized<Row> {
  prev: Row | undefined = undefined;
  next: Row | undefined = undefined;
  /** Who has less under way goes first. */
  priority = 0;
  readonly claims: LinkedList<Claim> = new LinkedList();
  readonly tenant: Tenant;
  readonly level: number;
  readonly #line: TenantLine;

  constructor(line: TenantLine, tenant: Tenant, level: number) {
    this.#line = line;
    this.tenant = tenant;
    this.level = level;
  }

  withdraw(claim: Claim): void {
    this.#line.withdraw(this, claim);
  }
}

/** Which end of a row is served first; the other one is given up first. */
export type ServiceOrder = "oldest-first" | "newest-first";

/**
 * Calls that wait: those of a higher priority go first, then those whose tenant
 * has less under way, then by age. A claim's value is when it began to wait.
 */
export class TenantLine {
  /**
   * By level, the highest priority first: the rows that are not empty. Invariant:
   * where there are several, they stand where their tenants' calls want them.
   */
  readonly #levels = PRIORITIES.map(() => new PriorityLine<Row>());
  /** Invariant: those of whom something runs or waits, besides the unnamed one. */
  readonly #tenants = new Map<unknown, Tenant>();
  readonly #unnamed = new Tenant(undefined);
  size = 0;

  /** Who has to be counted, or to wait, or to be forgotten again. */
  tenantOf(key: unknown): Tenant {
    if (key === undefined) return this.#unnamed;
    let tenant = this.#tenants.get(key);
    if (tenant === undefined) {
      tenant = new Tenant(key);
      this.#tenants.set(key, tenant);
    }
    return tenant;
  }

  forget({ key, running, waiting }: Tenant): void {
    if (key !== undefined && running + waiting === 0) this.#tenants.delete(key);
  }

  /** A call has begun; with -1 it has ended. */
  count(tenant: Tenant, calls: 1 | -1): void {
    tenant.running += calls;
    if (tenant.waiting === 0) return this.forget(tenant);
    for (const row of tenant.rows) {
      // Who is alone need not be put in its place: most calls have no tenant.
      const isOne = row !== undefined && row.claims.size > 0;
      if (isOne && this.#levelOf(row).size > 1) this.#place(row);
    }
  }

  push(claim: Claim, tenant: Tenant, priority: CallPriority): void {
    const level = PRIORITIES.indexOf(priority);
    const row = tenant.rows[level] ??= new Row(this, tenant, level);
    if (row.claims.size === 0) {
      const { head, size } = this.#levelOf(row);
      if (head !== undefined && size === 1) this.#place(head);
      row.priority = -tenant.running;
      this.#levelOf(row).push(row);
    }
    claim.line = row;
    row.claims.push(claim);
    tenant.waiting++;
    this.size++;
  }

  /** A claim has given up. */
  withdraw(row: Row, claim: Claim): void {
    this.#take(row, claim);
    this.forget(row.tenant);
  }

  /** Takes out who comes next, to be granted, and counts it as begun. */
  shift(order: ServiceOrder): [Claim, Tenant] | undefined {
    const row = this.#levels.find(({ size }) => size > 0)?.head;
    const claim = order === "oldest-first"
      ? row?.claims.head
      : row?.claims.tail;
    if (row === undefined || claim === undefined) return undefined;
    this.#take(row, claim);
    this.count(row.tenant, 1);
    return [claim, row.tenant];
  }

  /**
   * Who has to go if one more comes: one of the lowest priority, and if that is
   * the newcomer's, of the tenant with most who wait. `undefined` for the newcomer.
   */
  victim(
    tenant: Tenant,
    priority: CallPriority,
    order: ServiceOrder,
  ): [Claim, CallPriority] | undefined {
    const level = this.#levels.findLastIndex(({ size }) => size > 0);
    const ofNewcomer = PRIORITIES.indexOf(priority);
    if (level < ofNewcomer) return undefined;
    const own = tenant.rows[level];
    let row: Row | undefined;
    for (const other of this.#levels[level] ?? []) {
      if (other.claims.size > (row?.claims.size ?? 0)) row = other;
    }
    const isFair = level === ofNewcomer &&
      (row?.claims.size ?? 0) <= (own?.claims.size ?? 0) + 1;
    // Who came last is served first: the oldest has the least to hope for.
    if (isFair) row = order === "newest-first" ? own : undefined;
    const claim = order === "newest-first"
      ? row?.claims.head
      : row?.claims.tail;
    return claim && [claim, PRIORITIES[level] ?? priority];
  }

  /** When the one who waits longest began to wait; `Infinity` if nobody waits. */
  get oldestAt(): number {
    let oldest = Infinity;
    for (const { claims } of this.#rows()) {
      oldest = Math.min(oldest, claims.head?.value as number);
    }
    return oldest;
  }

  /** Those who began to wait before `at`, the lowest priority first. */
  before(at: number): [Claim, CallPriority][] {
    const found: [Claim, CallPriority][] = [];
    for (const { claims, level } of [...this.#rows()].reverse()) {
      for (
        let claim = claims.head;
        claim !== undefined && (claim.value as number) < at;
        claim = claim.next
      ) {
        found.push([claim, PRIORITIES[level] ?? "critical"]);
      }
    }
    return found;
  }

  *#rows(): Generator<Row> {
    for (const level of this.#levels) yield* level;
  }

  /** Puts a row where the calls of its tenant that are under way want it. */
  #place(row: Row): void {
    const level = this.#levelOf(row);
    level.remove(row);
    row.priority = -row.tenant.running;
    level.push(row);
  }

  #levelOf({ level }: Row): PriorityLine<Row> {
    return this.#levels[level] as PriorityLine<Row>;
  }

  #take(row: Row, claim: Claim): void {
    row.claims.remove(claim);
    claim.line = undefined;
    row.tenant.waiting--;
    this.size--;
    if (row.claims.size === 0) this.#levelOf(row).remove(row);
  }
}
