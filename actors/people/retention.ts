// How long what is kept of a person, and why: the rules by class of data, and what they mean for a person's records.
//
// Pure. Sources: Directive (EU) 2015/849 art. 40 (identification: 5 years from the end of the relationship, a further 5 where
// justified); GDPR art. 17(3)(b) (an obligation by law comes before erasure). Figures are domain time: a scaled namespace
// plays them faster (T2).

const DAY = 24 * 60 * 60 * 1000;
export const YEAR = 365.25 * DAY;

interface Rule {
  readonly keepMs: number;
  /** What the time counts from. */
  readonly from: 'stored' | 'order-ended' | 'relationship-ended';
  /** The duty that stands against an erasure before; none: it goes when it is asked for. */
  readonly duty: 'aml' | 'business-record' | undefined;
  /** May once be prolonged, with the reason written down. */
  readonly extensionMs?: number;
}

export const rules = {
  /** Who the person is, as screened. */
  identity: { keepMs: 5 * YEAR, from: 'relationship-ended', duty: 'aml' },
  /** Scans of identity documents. */
  document: { keepMs: 5 * YEAR, from: 'relationship-ended', duty: 'aml', extensionMs: 5 * YEAR },
  /** The application with its consents and agreement. */
  business: { keepMs: 10 * YEAR, from: 'order-ended', duty: 'business-record' },
  /** Where the card went. */
  contact: { keepMs: YEAR, from: 'order-ended', duty: undefined },
  /** Pictures of a handover. */
  handover: { keepMs: 180 * DAY, from: 'stored', duty: undefined },
  /** A copy made for the person. */
  export: { keepMs: 7 * DAY, from: 'stored', duty: undefined },
} as const satisfies { readonly [dataClass: string]: Rule };

export type DataClass = keyof typeof rules;
export const dataClasses = Object.keys(rules) as readonly DataClass[];
export const isDataClass = (word: string): word is DataClass => Object.hasOwn(rules, word);

/** A record, as its header and its owner's sheet tell it. */
export interface Kept {
  readonly ref: string;
  readonly dataClass: DataClass;
  readonly scope: string;
  readonly at: number;
  readonly extended: boolean;
}

/** What the rules need to know of an order. Times in ms. */
export interface OrderFact {
  readonly orderId: string;
  /** Undefined while it goes on. */
  readonly endedAt: number | undefined;
  /** A card was made: with it the relationship began. */
  readonly hadCard: boolean;
  /** The card may still be used: the relationship goes on. */
  readonly cardAlive: boolean;
  readonly legalHold: boolean;
  /** References that the order works with; some may have been stored for an order before it. */
  readonly uses?: readonly string[];
}

export interface Standing {
  readonly record: Kept;
  /** When its time is over, in ms; undefined while that cannot be said. */
  readonly dueAt: number | undefined;
  /** The duty that stands against an earlier erasure. */
  readonly duty: 'aml' | 'business-record' | undefined;
}

/** The order that a scope names; a version may stand behind it. */
export const orderOf = (scope: string): string => /^[^.:]*/.exec(scope)?.[0] ?? scope;

/** Where each record of one person stands. `timeScale` divides the years. */
export function standings(records: readonly Kept[], orders: readonly OrderFact[], timeScale: number): Standing[] {
  const relationship = relationshipOf(orders);
  const byId = new Map(orders.map((order) => [order.orderId, order]));
  return records.map((record) => {
    const rule: Rule = rules[record.dataClass];
    const keepMs = (rule.keepMs + (record.extended ? (rule.extensionMs ?? 0) : 0)) / timeScale;
    const own = byId.get(orderOf(record.scope));
    const from = startOf(rule, record, own, relationship);
    // Where no card was ever made there was no relationship, and no record that business law asks for.
    const duty = rule.duty === 'business-record' ? own?.hadCard : relationship.began;
    return {
      record,
      dueAt: from === undefined ? undefined : from + keepMs,
      duty: duty === true ? rule.duty : undefined,
    };
  });
}

interface Relationship {
  readonly began: boolean;
  /** Undefined while it goes on; 0 where there is no order any more. */
  readonly endedAt: number | undefined;
}

function relationshipOf(orders: readonly OrderFact[]): Relationship {
  const goesOn = orders.some(({ endedAt, cardAlive }) => endedAt === undefined || cardAlive);
  return {
    began: orders.some(({ hadCard }) => hadCard),
    endedAt: goesOn ? undefined : orders.reduce((last, { endedAt = 0 }) => Math.max(last, endedAt), 0),
  };
}

function startOf(rule: Rule, record: Kept, own: OrderFact | undefined, { endedAt }: Relationship): number | undefined {
  if (rule.from === 'stored') return record.at;
  if (rule.from === 'order-ended') return own === undefined ? record.at : own.endedAt;
  return endedAt === undefined ? undefined : Math.max(endedAt, record.at);
}

/** The first day on which a new record may be due, as a number of domain days: the earliest that its rule allows. */
export const firstDue = ({ dataClass, at }: Pick<Kept, 'dataClass' | 'at'>, timeScale: number): number =>
  at + rules[dataClass].keepMs / timeScale;

/** Number of the domain day that holds an instant. */
export const dayOf = (at: number, timeScale: number): number => Math.floor((at * timeScale) / DAY);

/** How long until a record that cannot be judged yet is looked at again. */
export const againAfter = (timeScale: number): number => (90 * DAY) / timeScale;
