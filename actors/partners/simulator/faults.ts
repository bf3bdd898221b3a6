// Faults and outcomes on demand, decided by seed and business key.
//
// A decision hashes the seed with what is decided on, never a running generator, so that it does not depend on the order
// of calls: one seed gives one world. Faults of a single try also hash the number of the try, else a lost reply would be
// lost for ever. Rates are 0–1.

import { createHash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const rate = Type.Optional(Type.Number({ minimum: 0, maximum: 1 }));

/** How often a partner's answer is not the hoped-for one. */
export const OutcomeRates = Type.Object(
  {
    kycRejectRate: rate,
    kycReviewRate: rate,
    kycHighRiskRate: rate,
    kycResubmitRate: rate,
    amlHitRate: rate,
    amlPotentialRate: rate,
    creditDeclineRate: rate,
    creditCounterRate: rate,
    undeliverableAddressRate: rate,
    outOfZoneRate: rate,
    cardRefusalRate: rate,
    activationRefusalRate: rate,
    bureauRejectRate: rate,
    spoilRate: rate,
    courierNotFoundRate: rate,
  },
  { additionalProperties: false },
);
export type OutcomeRates = Static<typeof OutcomeRates>;
export type OutcomeName = keyof OutcomeRates;

const LATENCY_MS_MAX = 120_000;
const latency = Type.Number({ minimum: 0, maximum: LATENCY_MS_MAX });

/** What PUT /control/faults takes. An absent field keeps its value; `outcomes` and `overrides` are replaced whole. */
export const FaultsChange = Type.Object(
  {
    seed: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    latencyMs: Type.Optional(Type.Tuple([latency, latency])),
    errorRate: rate,
    loseReplyRate: rate,
    duplicateCallbackRate: rate,
    reorderCallbackRate: rate,
    /** A partner that dedupes by idempotency key alone: what the caller's keys are worth by themselves. */
    ignoreBusinessKey: Type.Optional(Type.Boolean()),
    /** Partners that answer 503 to everything, by their path: `kyc`, `issuer` … */
    down: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 20 })),
    outcomes: Type.Optional(OutcomeRates),
    /** Other rates for one subject (an order, a delivery) or one product code. */
    overrides: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), OutcomeRates)),
  },
  { additionalProperties: false },
);
export type FaultsChange = Static<typeof FaultsChange>;

export interface Faults {
  readonly seed: string;
  readonly latencyMs: readonly [number, number];
  readonly errorRate: number;
  readonly loseReplyRate: number;
  readonly duplicateCallbackRate: number;
  readonly reorderCallbackRate: number;
  readonly ignoreBusinessKey: boolean;
  readonly down: readonly string[];
  readonly outcomes: OutcomeRates;
  readonly overrides: { readonly [subjectOrProduct: string]: OutcomeRates };
}

export const calm: Faults = {
  seed: '1',
  latencyMs: [2, 20],
  errorRate: 0,
  loseReplyRate: 0,
  duplicateCallbackRate: 0,
  reorderCallbackRate: 0,
  ignoreBusinessKey: false,
  down: [],
  outcomes: {},
  overrides: {},
};

const isChange = Compile(FaultsChange);

/** `faults` with a change applied; the list of what is wrong with it otherwise. */
export function changed(faults: Faults, change: unknown): Faults | { readonly wrong: readonly string[] } {
  if (!isChange.Check(change)) {
    return { wrong: isChange.Errors(change).map((error) => `${error.instancePath || '/'}: ${error.message}`) };
  }
  const [low, high] = change.latencyMs ?? faults.latencyMs;
  if (low > high) return { wrong: ['/latencyMs: the first number must not be above the second'] };
  // The schema admits no undefined member, which the compiler cannot see in a spread.
  return { ...faults, ...(change as Partial<Faults>) };
}

/** A number in [0, 1) that depends on the seed and these parts alone. */
export function draw(seed: string, ...parts: readonly (string | number)[]): number {
  const digest = createHash('sha256')
    .update([seed, ...parts].join('\u0000'))
    .digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** A whole or broken number between the bounds, drawn like `draw`. */
export const drawBetween = (
  seed: string,
  [low, high]: readonly [number, number],
  ...parts: readonly (string | number)[]
): number => low + (high - low) * draw(seed, ...parts);

/** What an outcome is drawn for. Overrides of the subject come first, then of the product, then the general rates. */
export interface About {
  readonly businessKey: string;
  readonly subject: string;
  readonly product?: string;
}

/** Whether the named outcome befalls this business key. */
export function befalls(faults: Faults, name: OutcomeName, about: About): boolean {
  const chance =
    faults.overrides[about.subject]?.[name] ??
    (about.product === undefined ? undefined : faults.overrides[about.product]?.[name]) ??
    faults.outcomes[name] ??
    0;
  return draw(faults.seed, name, about.businessKey) < chance;
}

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

/** An opaque name of 24 possible letters each, without digits: it can never be taken for a card or phone number. */
export function opaque(length: number, ...parts: readonly string[]): string {
  const digest = createHash('sha512').update(parts.join('\u0000')).digest();
  return Array.from(digest.subarray(0, length), (byte) => LETTERS[byte % LETTERS.length]).join('');
}
