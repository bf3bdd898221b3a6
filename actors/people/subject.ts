// The subject: everything that is kept of one person, and how it ends. Also the sweep that ends what is due of everybody.
//
// Whatever is destroyed is written down: what kind, when and why, by a reference that says nothing and opens nothing.

import { canonical } from '../../runtime/json.ts';
import { type Cabinet, KEY_REMEMBERED_MS, type Owner } from './cabinet.ts';
import { type Documents, objectKey } from './documents.ts';
import type { ObjectStore } from './objects/store.ts';
import { againAfter, type DataClass, dayOf, type Kept, type OrderFact, orderOf, standings } from './retention.ts';

/** Where the facts about orders come from: those named, in any order; an unknown one is left out. */
export type OrderFacts = (orderIds: readonly string[]) => Promise<readonly OrderFact[]>;

export interface Classification {
  /** Orders of the person that go on. */
  readonly open: readonly string[];
  readonly legalHold: boolean;
  /** Records that no duty keeps. */
  readonly erasable: number;
  /** What a duty keeps, by class, with the day it ends; undefined while the relationship goes on. */
  readonly kept: readonly {
    readonly dataClass: DataClass;
    readonly duty: string;
    readonly until: number | undefined;
  }[];
  /** The newest record that says who the person is; undefined where none is left. */
  readonly personRef: string | undefined;
}

export type Reason = 'erasure' | 'retention' | 'shredded';

export interface Destruction {
  readonly ref: string;
  readonly dataClass: DataClass | 'person';
  readonly why: Reason;
  readonly at: number;
}

export interface Erased {
  /** False: it was done before. */
  readonly erased: boolean;
  /** A process that read the person's data last may remember the key for so long, in ms; it cannot read anything with it. */
  readonly rememberedMs: number;
}

export interface Subjects {
  /** Every order that a record of the person names. */
  ordersOf(userId: string): Promise<readonly string[]>;
  classify(userId: string, facts: OrderFacts): Promise<Classification>;
  /** Destroys what no duty keeps, and with the last record the person's key. Gives what is left, as `classify` does. */
  prune(userId: string, facts: OrderFacts): Promise<Classification>;
  /** Destroys the person's key, every record and every document, whatever keeps them. Idempotent. */
  eraseSubject(userId: string): Promise<Erased>;
  /** Destroys the documents of an order. Gives how many there were. Idempotent. */
  shredDocuments(orderId: string, userId: string): Promise<number>;
  /** Everything kept of a person as JSON, sealed in the object store. Gives the id for `documents.content`. */
  exportOf(owner: Owner, requestId: string): Promise<string>;
  /**
   * Looks at what may be due on domain days from `fromDay` on up to now, at most 400 days; destroys what is due, and notes the rest
   * for a later day. Gives the day to go on from.
   */
  sweep(fromDay: number, facts: OrderFacts): Promise<{ readonly nextDay: number; readonly destroyed: number }>;
  /** What was destroyed on a domain day. */
  destructions(day: number): Promise<readonly Destruction[]>;
  today(): number;
}

const SWEEP_DAYS_MAX = 400; // One read each; a system that stood still for longer goes on from there.

export function subjects(cabinet: Cabinet, docs: Documents, objects: ObjectStore): Subjects {
  const { sheets } = cabinet;
  const today = (): number => dayOf(sheets.now(), sheets.timeScale);

  const note = (ref: string, dataClass: Destruction['dataClass'], why: Reason) =>
    sheets.changeSheet(`destroyed.${today()}`, {
      set: { [ref]: JSON.stringify({ dataClass, why, at: Math.floor(sheets.now()) }) },
    });

  const destroy = async ({ ref, dataClass }: Kept, why: Reason): Promise<void> => {
    await note(ref, dataClass, why); // Before: a destruction that nobody wrote down did not happen.
    if (dataClass === 'document' || dataClass === 'export') await objects.delete(objectKey(ref));
    await cabinet.drop(ref);
  };

  const erase = async (person: string, why: Reason): Promise<boolean> => {
    const records = await cabinet.list(person);
    if (records.length > 0) await note(person, 'person', why);
    // Sealed bytes that nobody can open are not kept either.
    for (const { ref, dataClass } of records)
      if (dataClass === 'document' || dataClass === 'export') await objects.delete(objectKey(ref));
    return cabinet.erase(person);
  };

  const standing = async (person: string, facts: OrderFacts) => {
    const records = await cabinet.list(person);
    const orders = await facts(ordersIn(records));
    return { records, orders, stands: standings(records, orders, sheets.timeScale) };
  };

  const classify = async (person: string, facts: OrderFacts): Promise<Classification> => {
    const { records, orders, stands } = await standing(person, facts);
    const duties = new Map<DataClass, Classification['kept'][number]>();
    for (const { record, duty, dueAt } of stands) {
      if (duty === undefined) continue;
      const known = duties.get(record.dataClass);
      const until = known === undefined ? dueAt : later(known.until, dueAt);
      duties.set(record.dataClass, { dataClass: record.dataClass, duty, until });
    }
    const newest = records.filter(({ dataClass }) => dataClass === 'identity').sort((a, b) => b.at - a.at)[0];
    return {
      open: orders.filter(({ endedAt }) => endedAt === undefined).map(({ orderId }) => orderId),
      legalHold: orders.some(({ legalHold }) => legalHold),
      erasable: stands.filter(({ duty }) => duty === undefined).length,
      kept: [...duties.values()],
      personRef: newest?.ref,
    };
  };

  return {
    today,
    ordersOf: async (userId) => ordersIn(await cabinet.list(cabinet.personOf(userId))),
    classify: (userId, facts) => classify(cabinet.personOf(userId), facts),
    async prune(userId, facts) {
      const person = cabinet.personOf(userId);
      const { stands, orders } = await standing(person, facts);
      const now = sheets.now();
      const isOver = orders.every(({ endedAt }) => endedAt !== undefined);
      const free = stands.filter(({ duty, dueAt }) => duty === undefined || (dueAt !== undefined && dueAt <= now));
      if (isOver && free.length === stands.length) await erase(person, 'erasure');
      // What an order that goes on still needs stays until it has ended.
      else for (const { record } of free) if (!isNeeded(record, orders)) await destroy(record, 'erasure');
      return classify(person, facts);
    },
    async eraseSubject(userId) {
      return { erased: await erase(cabinet.personOf(userId), 'erasure'), rememberedMs: KEY_REMEMBERED_MS };
    },
    async shredDocuments(orderId, userId) {
      const records = await cabinet.list(cabinet.personOf(userId));
      const theirs = records.filter(({ dataClass, scope }) => dataClass === 'document' && orderOf(scope) === orderId);
      for (const record of theirs) await destroy(record, 'shredded');
      return theirs.length;
    },
    async exportOf(owner, requestId) {
      const records = await cabinet.list(cabinet.personOf(owner.userId));
      const rows = await Promise.all(
        records
          .filter(({ dataClass }) => dataClass !== 'export')
          .map(async ({ ref, dataClass, scope, at }) => ({
            dataClass,
            scope,
            at,
            data: shown(await cabinet.read(ref)),
          })),
      );
      return docs.deposit(
        owner,
        requestId,
        canonical({ userId: owner.userId, madeAt: Math.floor(sheets.now()), rows }),
      );
    },
    async sweep(fromDay, facts) {
      const until = Math.min(today(), fromDay + SWEEP_DAYS_MAX - 1);
      let destroyed = 0;
      for (let day = fromDay; day <= until; day += 1) destroyed += await sweepDay(day);
      return { nextDay: Math.max(fromDay, until), destroyed };

      async function sweepDay(day: number): Promise<number> {
        const listed = Object.keys(await sheets.readSheet(`due.${day}`)).filter((name) => name !== 'rev');
        const persons = new Map<string, string[]>();
        for (const ref of listed) persons.set(personIn(ref), [...(persons.get(personIn(ref)) ?? []), ref]);
        let count = 0;
        for (const [person, refs] of persons) count += await sweepPerson(person, refs, day);
        return count;
      }

      async function sweepPerson(person: string, refs: readonly string[], day: number): Promise<number> {
        const { stands } = await standing(person, facts);
        const now = sheets.now();
        const wanted = new Set(refs.map(placeIn));
        const looked = stands.filter(({ record }) => wanted.has(placeIn(record.ref)));
        const due = looked.filter(({ dueAt }) => dueAt !== undefined && dueAt <= now);
        for (const { record, dueAt } of looked) {
          if (dueAt !== undefined && dueAt <= now) continue;
          const next = dayOf(dueAt ?? now + againAfter(sheets.timeScale), sheets.timeScale);
          // Of a day that is not over: it is looked at again.
          if (next > day) await sheets.changeSheet(`due.${next}`, { set: { [record.ref]: record.dataClass } });
        }
        if (due.length > 0 && due.length === stands.length) await erase(person, 'retention');
        else for (const { record } of due) await destroy(record, 'retention');
        if (day < today())
          await sheets.changeSheet(`due.${day}`, { set: Object.fromEntries(refs.map((ref) => [ref, undefined])) });
        return due.length;
      }
    },
    async destructions(day) {
      const { rev: _, ...fields } = await sheets.readSheet(`destroyed.${day}`);
      return Object.entries(fields).map(([ref, text]) => ({ ref, ...(JSON.parse(text) as Omit<Destruction, 'ref'>) }));
    },
  };
}

const ordersIn = (records: readonly Kept[]): readonly string[] => [
  ...new Set(records.map(({ scope }) => orderOf(scope)).filter((id) => id.startsWith('ord_'))),
];

/** Whether an order that goes on was filed with it, or works with it. */
const isNeeded = ({ ref, scope }: Kept, orders: readonly OrderFact[]): boolean =>
  orders.some(
    ({ orderId, endedAt, uses = [] }) =>
      endedAt === undefined && (orderId === orderOf(scope) || uses.some((used) => placeIn(used) === placeIn(ref))),
  );

const placeIn = (ref: string): string => ref.slice(ref.indexOf('_') + 1);
const personIn = (ref: string): string => placeIn(ref).split('.', 1)[0] ?? '';
const later = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : Math.max(a, b);

/** A record for its owner: keys of contents are nobody's. */
function shown(text: string | undefined): unknown {
  if (text === undefined) return null;
  const { contentKey: _, ...data } = JSON.parse(text) as { readonly contentKey?: string }; // Every record is a JSON object.
  return data;
}
