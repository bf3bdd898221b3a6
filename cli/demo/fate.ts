// A fate: how the people around one order will behave, decided before it begins. What the partners say is not in it;
// that is theirs (rates below, set at their controls).

import type { Chance } from './chance.ts';

/** What happens at the door at one attempt. */
export type AtTheDoor =
  | 'handed_over'
  | 'wrong_code_first'
  | 'no_show'
  | 'id_missing'
  | 'asked_later'
  | 'refused'
  | 'id_mismatch'
  | 'envelope_lost'
  | 'envelope_found_again';

export type CancelPhase = 'screening' | 'approved' | 'production' | 'scheduling' | 'transit' | 'door';

export interface Fate {
  /** The customer changes their mind in this phase; the answer may be no. */
  readonly cancelsAt: CancelPhase | undefined;
  /** By attempt, from the first; what is not listed is handed over. */
  readonly doors: readonly AtTheDoor[];
  readonly afterReturn: 'redeliver' | 'destroy';
  readonly counterOffer: 'accept' | 'decline';
  readonly reviewers: 'approve' | 'reject';
  /** A possible sanctions hit: the desk clears it in time, or leaves it to the reviewers. */
  readonly possibleHit: 'cleared' | 'left';
  /** The customer does not need the edit window. */
  readonly waivesEditing: boolean;
  readonly activates: 'in_app' | 'by_last4' | 'wrong_last4_first';
}

const phases: readonly CancelPhase[] = ['screening', 'approved', 'production', 'scheduling', 'transit', 'door'];

/** Troubles at the first door, in thousandths of all orders. */
const troubles: readonly (readonly [share: number, doors: readonly AtTheDoor[]])[] = [
  [40, ['no_show']],
  [30, ['wrong_code_first']],
  [20, ['id_missing']],
  [15, ['asked_later']],
  [15, ['refused']],
  [12, ['no_show', 'no_show', 'no_show']],
  [10, ['id_mismatch']],
  [10, ['envelope_lost']],
  [8, ['envelope_found_again']],
];

export function fate(chance: Chance): Fate {
  return {
    cancelsAt: chance.happens(0.1) ? chance.pick(phases) : undefined,
    doors: doorsOf(chance.between(0, 999)),
    afterReturn: chance.happens(0.5) ? 'redeliver' : 'destroy',
    counterOffer: chance.happens(0.7) ? 'accept' : 'decline',
    reviewers: chance.happens(0.75) ? 'approve' : 'reject',
    possibleHit: chance.happens(0.5) ? 'cleared' : 'left',
    waivesEditing: chance.happens(0.15),
    activates: chance.pick(['in_app', 'in_app', 'by_last4', 'by_last4', 'wrong_last4_first'] as const),
  };
}

function doorsOf(drawn: number): readonly AtTheDoor[] {
  let left = drawn;
  for (const [share, doors] of troubles) {
    left -= share;
    if (left < 0) return doors;
  }
  return [];
}

/** How often the partners of the demo say something else than yes: for PUT /control/faults. */
export const partnerOutcomes = {
  kycRejectRate: 0.03,
  kycReviewRate: 0.03,
  kycNameMismatchRate: 0.03,
  kycResubmitRate: 0.04,
  amlHitRate: 0.015,
  amlPotentialRate: 0.03,
  creditDeclineRate: 0.08,
  creditCounterRate: 0.12,
  undeliverableAddressRate: 0.02,
  outOfZoneRate: 0.01,
  activationRefusalRate: 0.02,
  bureauRejectRate: 0.02,
  spoilRate: 0.03,
  courierNotFoundRate: 0.04,
} as const;
