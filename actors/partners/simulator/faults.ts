// Faults and outcomes on demand, decided by seed and business key.
//
// A decision hashes the seed with what is decided on, never a running generator, so that it does not depend on the order
// of calls: one seed gives one world. Faults of a single try also hash the number of the try, else a lost reply would be
// lost for ever. Rates are 0–1.

import { createHash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { oneOf } from '../../contract/schema.ts';

const rate = Type.Optional(Type.Number({ minimum: 0, maximum: 1 }));

/** What a partner's business makes of an order, where it is not the hoped-for: how often, by section 4.2 and 4.4. */
export const outcomeNames = [
  // KYC: `kycReviewRate` is approved after a person has looked; silent never answers.
  'kycRejectRate',
  'kycReviewRate',
  'kycHighRiskRate',
  'kycNameMismatchRate',
  'kycResubmitRate',
  'kycExpireRate',
  'kycSilentRate',
  'amlHitRate',
  'amlPotentialRate',
  'amlUnavailableRate',
  'creditDeclineRate',
  'creditCounterRate',
  'creditUnavailableRate',
  'undeliverableAddressRate',
  'unsureAddressRate',
  'outOfZoneRate',
  'cardRefusalRate',
  'activationRefusalRate',
  'chargeRefusalRate',
  'refundRefusalRate',
  // Bureau: rejected for a reason that can be corrected, or for good; no word at all, or an acknowledgement with a wrong
  // checksum, until the job is sent again; PRINTED told twice.
  'bureauRejectRate',
  'bureauRejectFinalRate',
  'bureauSilentRate',
  'bureauBadChecksumRate',
  'bureauTwiceRate',
  'spoilRate',
  // Hub and couriers.
  'hubSilentRate',
  'hubDamagedRate',
  'courierNotFoundRate',
  'courierNeverArrivesRate',
  'courierOfflineRate',
  // Carriers, and what happens to an envelope on its way.
  'bookingRefusalRate',
  'trackingSilentRate',
  'trackingShuffleRate',
  'trackingTwiceRate',
  'trackingBackwardsRate',
  'attemptFailRate',
  'lostRate',
  'foundRate',
  'stolenRate',
  'damagedRate',
  'returnedRate',
  'unattendedRate',
  'messageFailRate',
] as const;
export type OutcomeName = (typeof outcomeNames)[number];

/** Words of a carrier for a failed attempt: every reason code of section 4.4 that a carrier can give. */
export const attemptWords = [
  'no_answer',
  'bad_address',
  'no_access',
  'asked_later',
  'declined',
  'no_document',
  'wrong_person',
  'old_document',
  'parcel_damaged',
  'weather',
  'carrier_delay',
  'moved',
] as const;

const rates = Object.fromEntries(outcomeNames.map((name) => [name, rate])) as {
  readonly [name in OutcomeName]: typeof rate;
};

export const OutcomeRates = Type.Object(
  {
    ...rates,
    /** The first so many jobs of an order are spoiled. */
    spoilTimes: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
    /** Which reason a failed attempt of a carrier has. */
    attemptReason: Type.Optional(oneOf(...attemptWords)),
    /** Channels that `messageFailRate` befalls. All by default. */
    failChannels: Type.Optional(Type.Array(oneOf('SMS', 'VOICE', 'EMAIL'), { maxItems: 3 })),
  },
  { additionalProperties: false },
);
export type OutcomeRates = Static<typeof OutcomeRates>;

const LATENCY_MS_MAX = 120_000;
const latency = Type.Number({ minimum: 0, maximum: LATENCY_MS_MAX });

/** How badly the line to a partner behaves, try by try. */
const line = {
  latencyMs: Type.Optional(Type.Tuple([latency, latency])),
  /** 500, and nothing was done. */
  errorRate: rate,
  /** 429 with Retry-After, and nothing was done. */
  limitRate: rate,
  /** Done, and the connection breaks before the answer, in the middle of it, or the answer is noise. */
  loseReplyRate: rate,
  halfAnswerRate: rate,
  malformedRate: rate,
};
export const LineFaults = Type.Object(line, { additionalProperties: false });
export type LineFaults = Static<typeof LineFaults>;

const name = Type.String({ maxLength: 100 });

/** What PUT /control/faults takes. An absent field keeps its value; `outcomes`, `partners` and `overrides` are replaced whole. */
export const FaultsChange = Type.Object(
  {
    seed: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    ...line,
    /** Only the first so many tries under one key can fail: what keeps a bad day within the retry budgets. */
    failTriesMax: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000 })),
    /** The same for one partner, by its name (`issuer`) or that of one of its doors (`swift`, `hub`). */
    partners: Type.Optional(Type.Record(name, LineFaults)),
    duplicateCallbackRate: rate,
    reorderCallbackRate: rate,
    /** The first try of a callback is signed with a wrong secret. */
    wrongSignatureRate: rate,
    /** A partner that dedupes by idempotency key alone: what the caller's keys are worth by themselves. */
    ignoreBusinessKey: Type.Optional(Type.Boolean()),
    /** Partners that answer 503 to everything, by the names of `partners`. */
    down: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 20 })),
    outcomes: Type.Optional(OutcomeRates),
    /** Other rates for one subject (an order, a delivery) or one product code. */
    overrides: Type.Optional(Type.Record(name, OutcomeRates)),
  },
  { additionalProperties: false },
);
export type FaultsChange = Static<typeof FaultsChange>;

type Line = Required<LineFaults>;

export interface Faults extends Line {
  readonly seed: string;
  readonly failTriesMax: number;
  readonly partners: { readonly [partner: string]: LineFaults };
  readonly duplicateCallbackRate: number;
  readonly reorderCallbackRate: number;
  readonly wrongSignatureRate: number;
  readonly ignoreBusinessKey: boolean;
  readonly down: readonly string[];
  readonly outcomes: OutcomeRates;
  readonly overrides: { readonly [subjectOrProduct: string]: OutcomeRates };
}

const quiet = {
  latencyMs: [2, 20] as [number, number],
  errorRate: 0,
  limitRate: 0,
  loseReplyRate: 0,
  halfAnswerRate: 0,
  malformedRate: 0,
  failTriesMax: 1_000,
  partners: {},
  duplicateCallbackRate: 0,
  reorderCallbackRate: 0,
  wrongSignatureRate: 0,
  down: [],
};

export const calm: Faults = { seed: '1', ...quiet, ignoreBusinessKey: false, outcomes: {}, overrides: {} };

/**
 * Days by name. A bad one shows every fault of the line, and none of them beyond the second try: the tightest policy has
 * three (address.validate, otp.send), so no outcome changes.
 */
export const profiles: { readonly [name: string]: Partial<Faults> } = {
  calm: quiet,
  'bad-day': {
    ...quiet,
    latencyMs: [5, 200],
    errorRate: 0.06,
    limitRate: 0.03,
    loseReplyRate: 0.04,
    halfAnswerRate: 0.02,
    malformedRate: 0.02,
    failTriesMax: 2,
    duplicateCallbackRate: 0.2,
    reorderCallbackRate: 0.15,
    wrongSignatureRate: 0.05,
  },
};

const isChange = Compile(FaultsChange);
const isOutcome = Compile(OutcomeRates);

export type Wrong = { readonly wrong: readonly string[] };
const wrongOf = (errors: readonly { readonly instancePath: string; readonly message: string }[]): Wrong => ({
  wrong: errors.map((error) => `${error.instancePath || '/'}: ${error.message}`),
});

/** `faults` with a change applied; the list of what is wrong with it otherwise. */
export function changed(faults: Faults, change: unknown): Faults | Wrong {
  if (!isChange.Check(change)) return wrongOf(isChange.Errors(change));
  const lines = [change, ...Object.values(change.partners ?? {})];
  if (lines.some(({ latencyMs: [low, high] = [0, 0] }) => low > high))
    return { wrong: ['/latencyMs: the first number must not be above the second'] };
  // The schema admits no undefined member, which the compiler cannot see in a spread.
  return { ...faults, ...(change as Partial<Faults>) };
}

/** `faults` with other rates for one subject or product alone; none of its own any more when `rates` is null. */
export function overridden(faults: Faults, subject: string, rates: unknown): Faults | Wrong {
  const { [subject]: _, ...others } = faults.overrides;
  if (rates === null) return { ...faults, overrides: others };
  if (!isOutcome.Check(rates)) return wrongOf(isOutcome.Errors(rates));
  if (Object.keys(others).length >= OVERRIDES_MAX) return { wrong: [`/: more than ${OVERRIDES_MAX} subjects`] };
  return { ...faults, overrides: { ...others, [subject]: rates } };
}
const OVERRIDES_MAX = 20_000; // Two for each of 10,000 orders.

/** How the line to one partner is, seen from one of its doors. */
export const lineTo = (faults: Faults, names: readonly string[]): Line =>
  // The schema admits no undefined member.
  Object.assign({}, ...[faults, ...names.map((name) => faults.partners[name])]) as Line;

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

/** What an outcome is drawn for. Overrides of the subject come first, then of its order, of the product, then the general rates. */
export interface About {
  readonly businessKey: string;
  readonly subject: string;
  readonly order?: string;
  readonly product?: string;
}

/** What is set for this subject, or for all. */
export function setting<N extends keyof OutcomeRates>(
  faults: Faults,
  name: N,
  about: About,
): OutcomeRates[N] | undefined {
  const { subject, order, product } = about;
  const named = [subject, order, product].find(
    (one) => one !== undefined && faults.overrides[one]?.[name] !== undefined,
  );
  return named === undefined ? faults.outcomes[name] : faults.overrides[named]?.[name];
}

/** Whether the named outcome befalls this business key. */
export function befalls(faults: Faults, name: OutcomeName, about: About): boolean {
  const chance = setting(faults, name, about) ?? 0;
  return chance > 0 && draw(faults.seed, name, about.businessKey) < chance;
}

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

/** An opaque name of 24 possible letters each, without digits: it can never be taken for a card or phone number. */
export function opaque(length: number, ...parts: readonly string[]): string {
  const digest = createHash('sha512').update(parts.join('\u0000')).digest();
  return Array.from(digest.subarray(0, length), (byte) => LETTERS[byte % LETTERS.length]).join('');
}
