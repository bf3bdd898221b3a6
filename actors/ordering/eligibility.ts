// Eligibility: the product's own rules, decided here without a partner. Data of today's products.

import type { EffectInput, EffectOutput } from '../contract/index.ts';

const AGE_MIN = 14; // Source: the issuing country's law; the youngest who may hold a card of his own.
const CREDIT_AGE_MIN = 18;
/** Applicants there are looked at by a person. */
const REVIEWED_COUNTRIES = new Set(['AF', 'IR', 'KP', 'MM', 'SY', 'YE']);

export function eligibilityOf({
  productCode,
  country,
  ageYears,
}: EffectInput<'eligibility.check'>): EffectOutput<'eligibility.check'> {
  const risk = REVIEWED_COUNTRIES.has(country) ? 'high' : 'low';
  const ageMin = productCode.startsWith('credit') ? CREDIT_AGE_MIN : AGE_MIN;
  return ageYears >= ageMin ? { eligible: true, risk } : { eligible: false, reason: 'too_young', risk };
}
