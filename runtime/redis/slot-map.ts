// The map of a cluster: which server holds which slot, as last heard. Pure; who asks and when is cluster-map.ts's part.

import { SLOTS } from './slot.ts';
import { type Address, textOf } from './target.ts';

export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly address: Address;
}

export type Changed = (slot: number) => boolean;

export class SlotMap {
  #owners: readonly (Address | undefined)[] = [];

  ownerOf(slot: number): Address | undefined {
    return this.#owners[slot];
  }

  /** Every server that holds slots, each once. */
  servers(): readonly Address[] {
    const found = new Map<string, Address>();
    for (const owner of this.#owners) if (owner !== undefined) found.set(textOf(owner), owner);
    return [...found.values()];
  }

  /** True when every slot has an owner: else some keys have no home, and the cluster refuses calls. */
  get isComplete(): boolean {
    return this.#owners.length === SLOTS && !this.#owners.includes(undefined);
  }

  /** Which slots have changed hands; undefined when none has. */
  replace(ranges: readonly SlotRange[]): Changed | undefined {
    const owners = new Array<Address | undefined>(SLOTS).fill(undefined);
    for (const { from, to, address } of ranges) owners.fill(address, from, to + 1);
    const before = this.#owners;
    this.#owners = owners;
    const changed: Changed = (slot) => !isSame(owners[slot], before[slot]);
    return owners.some((_, slot) => changed(slot)) ? changed : undefined;
  }

  /** One slot has moved. Undefined when that was known. */
  moved(slot: number, address: Address): Changed | undefined {
    if (isSame(this.#owners[slot], address)) return undefined;
    this.#owners = Array.from({ length: SLOTS }, (_, other) => (other === slot ? address : this.#owners[other]));
    return (other) => other === slot;
  }
}

const isSame = (a: Address | undefined, b: Address | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.host === b.host && a.port === b.port);

/**
 * What CLUSTER SLOTS replied: first and last slot, the master, its replicas. A server that does not know its own address says
 * so by an empty one, which means: as you have reached me, which is `asked`.
 */
export function rangesOf(reply: unknown, asked: string): readonly SlotRange[] {
  const rows = reply as readonly (readonly [number, number, readonly [string | null, number], ...unknown[]])[]; // As documented.
  return rows.map(([from, to, [host, port]]) => ({
    ...{ from: Number(from), to: Number(to) },
    address: { host: host === null || host === '' || host === '?' ? asked : host, port: Number(port) },
  }));
}
