// A realistic application: a person of some country with a name in its script, a product that is sold there, a method.
//
// Phone numbers and user ids follow from the number of the order, so that no two people of a run share one.

import type { OrderRequest } from '../../actors/contract/dto.ts';
import type { Chance } from './chance.ts';
import { type Country, countries } from './places.ts';

/** What the bank of the demo sells, and to how many in a hundred. */
const products = [
  { productCode: 'classic_debit', cardType: 'debit', designId: 'classic', share: 52 },
  { productCode: 'travel_prepaid', cardType: 'prepaid', designId: 'sunrise', share: 14 },
  { productCode: 'student_debit', cardType: 'debit', designId: 'campus', share: 12 },
  { productCode: 'gold_credit', cardType: 'credit', designId: 'gold', share: 22 },
] as const;

const EMBOSSED_CHARS_MAX = 26;

export interface Applicant {
  readonly order: OrderRequest;
  readonly phone: string;
  /** Where the courier finds the door. */
  readonly geo: { readonly lat: number; readonly lon: number };
}

/** The application of person number `index` of a run. `now` in ms dates the consents. */
export function application(chance: Chance, index: number, now: number): Applicant {
  const country = chance.pick(countries);
  const given = chance.pick(country.given);
  const family = chance.pick(country.family);
  const product = chosenProduct(chance);
  const phone = `${country.phonePrefix}${String(1_000_000 + index).slice(-7)}`;
  const address = addressIn(country, chance);
  const signedAt = new Date(now).toISOString();
  const isCredit = product.cardType === 'credit';
  const method = chance.happens(0.03) ? 'pickup_point' : 'courier';
  const order: OrderRequest = {
    cardInfo: {
      productCode: product.productCode,
      cardType: product.cardType,
      paymentSystem: chance.pick(country.paymentSystems),
      designId: product.designId,
      embossedName: { line1: `${given[1]} ${family[1]}`.slice(0, EMBOSSED_CHARS_MAX).trim() },
      currency: country.currency,
      pinDelivery: 'set_in_app',
    },
    userInfo: {
      givenName: given[0],
      familyName: family[0],
      birthDate: birthDate(chance, now),
      citizenship: chance.happens(0.92) ? country.code : chance.pick(countries).code,
      residence: country.code,
      phone,
      email: `${given[1]}.${index}@example.com`.toLowerCase(),
      locale: country.locale,
      timeZone: country.timeZone,
    },
    legalInfo: {
      consents: (isCredit
        ? (['personal_data', 'contract', 'credit_bureau'] as const)
        : (['personal_data', 'contract'] as const)
      ).map((type) => ({
        type,
        textVersion: '2026-09',
        acceptedAt: signedAt,
        channel: chance.pick(['app', 'web'] as const),
      })),
      documents: [{ kind: 'passport', issuingCountry: country.code, numberMasked: `******${chance.digits(3)}` }],
      ...(isCredit ? { agreement: { templateVersion: 'credit-7', signedAt, signature: 'simple_es' as const } } : {}),
    },
    deliveryInfo: {
      method,
      address,
      ...(method === 'pickup_point' ? { pickupPointId: `pp_${country.code}_${chance.between(1, 40)}` } : {}),
    },
  };
  return { order, phone, geo: address.geo };
}

function chosenProduct(chance: Chance): (typeof products)[number] {
  let left = chance.between(1, 100);
  for (const product of products) {
    left -= product.share;
    if (left <= 0) return product;
  }
  return products[0];
}

function addressIn(country: Country, chance: Chance) {
  const city = chance.pick(country.cities);
  const near = (degrees: number): number => Math.round((degrees + (chance.next() - 0.5) / 10) * 10_000) / 10_000;
  return {
    countryCode: country.code,
    postalCode: country.postalCode(chance),
    ...(city.region === undefined ? {} : { region: city.region }),
    city: city.name,
    street: chance.pick(city.streets),
    house: String(chance.between(1, 180)),
    ...(chance.happens(0.7) ? { flat: String(chance.between(1, 240)) } : {}),
    geo: { lat: near(city.lat), lon: near(city.lon) },
  };
}

/** An adult's: between 19 and 78 years before `now`. */
function birthDate(chance: Chance, now: number): string {
  const year = new Date(now).getUTCFullYear() - chance.between(19, 78);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${year}-${two(chance.between(1, 12))}-${two(chance.between(1, 28))}`;
}
