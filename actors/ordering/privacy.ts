// Effect handlers of personal data: what the charts of requests and retention ask of the vault, and what orders say to it.

import type { ActorView, Client } from '../../runtime/client.ts';
import type { EffectOutcome, EffectRegistration } from '../../runtime/hosting.ts';
import type { Json } from '../../runtime/json.ts';
import type { EffectInput, EffectName, EffectOutput } from '../contract/index.ts';
import { performed, unconnected } from '../effects.ts';
import type { Classification, OrderFact, OrderFacts, People } from '../people/index.ts';
import { YEAR } from '../people/index.ts';

/** What the handlers work with: the vault, and the orders it is judged by. */
export interface PrivacyDoors {
  readonly people: People;
  readonly orders: Pick<Client, 'readMany' | 'timeScale' | 'now'>;
}

const OPEN_MAX = 20; // More are asked at the next look.

const names = [
  'documents.shred',
  'people.erase',
  'privacy.classify',
  'privacy.prune',
  'privacy.export',
  'retention.sweep',
] as const satisfies readonly EffectName[];
type PrivacyEffect = (typeof names)[number];
type Acts = { readonly [N in PrivacyEffect]: (input: EffectInput<N>) => Promise<EffectOutput<N>> };

/** The handlers by effect; without doors, none of them reaches anything. */
export function privacyHandlers(doors?: PrivacyDoors): { readonly [N in PrivacyEffect]: EffectRegistration } {
  const acts = doors === undefined ? undefined : actsOf(doors);
  const registered = names.map((name) => {
    const act = acts?.[name] as ((input: unknown) => Promise<Json>) | undefined; // Each act takes its own effect's input.
    const run = act === undefined ? unconnected : (call: { readonly input: unknown }) => attempt(() => act(call.input));
    return [name, performed(name, { run })];
  });
  return Object.fromEntries(registered) as { readonly [N in PrivacyEffect]: EffectRegistration }; // One entry per name.
}

/** Everything here may be repeated: what is destroyed stays so. A store that does not answer is asked again. */
async function attempt(act: () => Promise<Json>): Promise<EffectOutcome> {
  try {
    return { kind: 'done', output: await act() };
  } catch (error) {
    const { name, code } = error as { readonly name?: string; readonly code?: string };
    return { kind: 'unknown', reason: `vault: ${code ?? name ?? 'error'}` };
  }
}

function actsOf({ people, orders }: PrivacyDoors): Acts {
  const facts = orderFacts(orders);
  return {
    'documents.shred': async ({ orderId, userId }) => ({ destroyed: await people.shredDocuments(orderId, userId) }),
    'people.erase': async ({ userId }) => ({ erased: (await people.eraseSubject(userId)).erased }),
    'privacy.classify': async ({ userId }) => {
      const { open, legalHold, personRef, ...rest } = await people.classify(userId, facts);
      return {
        open: open.slice(0, OPEN_MAX),
        legalHold,
        kept: keptOf(rest),
        ...(personRef === undefined ? {} : { personRef }),
      };
    },
    'privacy.prune': async ({ userId }) => {
      const left = await people.prune(userId, facts);
      return { kept: keptOf(left), waitMs: waitOf(left, orders) };
    },
    'privacy.export': async ({ requestId, userId }) => {
      const { personRef } = await people.classify(userId, facts);
      const objectId = await people.exportOf({ userId }, requestId);
      return { objectId, ...(personRef === undefined ? {} : { personRef }) };
    },
    'retention.sweep': async ({ fromDay }) => people.sweep(fromDay, facts),
  };
}

const keptOf = ({ kept }: Pick<Classification, 'kept'>) =>
  kept.map(({ dataClass, duty, until }) => ({
    dataClass,
    duty,
    ...(until === undefined ? {} : { until: Math.ceil(until) }),
  }));

/** Domain time until the next of them is due; a year where that is not known yet. */
function waitOf({ kept }: Classification, { now, timeScale }: PrivacyDoors['orders']): number {
  const waits = kept.map(({ until }) => (until === undefined ? YEAR : (until - now()) * timeScale));
  return Math.max(0, Math.ceil(Math.min(YEAR, ...waits)));
}

const ENDED = /^fulfilment\.(completed|rejected|cancelled|expired|undeliverable|lost|failed)$/;
const NO_CARD = /^card\.(none|closed|unissued)$/;

const CHAIN_MAX = 10; // Replacements of replacements that a look follows.

/**
 * Facts of orders by their actors, and of those that took their place. An archived order is not among them: its records count
 * from when they were stored.
 */
export function orderFacts({ readMany }: Pick<Client, 'readMany'>): OrderFacts {
  return async (orderIds) => {
    const seen = new Set<string>();
    const facts: OrderFact[] = [];
    let wanted = [...orderIds];
    for (let chain = 0; chain <= CHAIN_MAX && wanted.length > 0; chain += 1) {
      for (const id of wanted) seen.add(id);
      const views = await readMany(wanted as unknown as Parameters<typeof readMany>[0]); // Derived by the api; the vault keeps them as text.
      const found = views.filter((view) => view !== undefined);
      facts.push(...found.map(factOf));
      wanted = found
        .map(({ context }) => (context as unknown as OrderSight).replacedBy)
        .filter((id): id is string => typeof id === 'string' && !seen.has(id));
    }
    return facts;
  };
}

/** What is read of an order's context, with care: it was written by some version of its chart. */
interface OrderSight {
  readonly card?: object | null;
  readonly times?: { readonly closed?: number };
  readonly replacedBy?: string | null;
  readonly personRef?: string;
  readonly addressRef?: string;
}

function factOf(view: ActorView): OrderFact {
  const { card, times, personRef, addressRef } = view.context as unknown as OrderSight;
  const isOver = view.status === 'done' || view.states.some((state) => ENDED.test(state));
  return {
    orderId: view.actor,
    endedAt: isOver ? (times?.closed ?? view.updatedAt) : undefined,
    hadCard: card !== null && card !== undefined,
    cardAlive: view.states.some((state) => state.startsWith('card.') && !NO_CARD.test(state)),
    legalHold: view.states.includes('hold.held.legal'),
    uses: [personRef, addressRef].filter((ref) => ref !== undefined),
  };
}
