// What the catalogue says of an address, and of a slot: the effects of this context that need no partner.
//
// The address is read from the vault for the moment of the question; what leaves this file is a zone, a yes or no, and a
// distance.

import type { EffectOutcome } from '../../runtime/hosting.ts';
import { windowOf } from '../contract/calendar.ts';
import { type Catalogue, carriersOf, type PickupPoint, pointOf, type Zone, zoneAt } from '../contract/catalogue.ts';
import type { EffectInput, EffectOutput } from '../contract/index.ts';
import { type Geo, metresBetween } from '../contract/metres.ts';
import type { Address, People } from '../people/index.ts';

const HOUR_MS = 3_600_000;
const CARRIERS_MAX = 3; // As the chart has it: so many are asked for one booking.

type Asked = EffectInput<'zone.check'>;
type Verdict = EffectOutput<'zone.check'>;
type Method = Asked['method'];

/** Failed with `address_unknown` when nobody has the address any more; unknown when the vault cannot be read now. */
export async function zoneCheck(
  catalogue: Catalogue,
  people: Pick<People, 'readAddress'>,
  input: Asked,
): Promise<EffectOutcome> {
  let address: Address | undefined;
  let previous: Address | undefined;
  try {
    address = await people.readAddress(input.addressRef);
    previous = input.previousAddressRef === undefined ? undefined : await people.readAddress(input.previousAddressRef);
  } catch {
    return { kind: 'unknown', reason: 'the vault cannot be read' }; // Without the error: its message may quote the record.
  }
  if (address === undefined) return { kind: 'failed', error: { code: 'address_unknown' } };
  return { kind: 'done', output: { ...verdictOn(catalogue, input, address, previous) } };
}

/** Pure. */
export function verdictOn(catalogue: Catalogue, input: Asked, address: Address, previous?: Address): Verdict {
  const zone = zoneAt(catalogue, address);
  if (zone === undefined) return { allowed: false, alternatives: [] };
  const point = pickupPoint(catalogue, zone, input.pickupPointId, address.geo);
  const serves = (method: Method): boolean =>
    zone.methods.includes(method) &&
    carriersOf(catalogue, method, zone.country).length > 0 &&
    (method !== 'pickup_point' || point !== undefined);
  const carriers = carriersOf(catalogue, input.method, zone.country).map(({ id }) => id);
  return {
    zoneId: zone.id,
    allowed: serves(input.method),
    alternatives: zone.methods.filter((method) => method !== input.method && serves(method)),
    carriers: carriers.slice(0, CARRIERS_MAX),
    stopsPerRun: zone.stopsPerRun,
    ...(input.method === 'pickup_point' && point !== undefined ? { pickupPointId: point.id } : {}),
    ...(address.geo === undefined || previous?.geo === undefined
      ? {}
      : { distanceMetres: Math.round(metresBetween(previous.geo, address.geo)) }),
  };
}

/** The point that was named, if it lies in the same country; without a name the nearest one of the zone. */
function pickupPoint(catalogue: Catalogue, zone: Zone, named?: string, near?: Geo): PickupPoint | undefined {
  if (named !== undefined) {
    const point = pointOf(catalogue, named);
    const home = catalogue.zones.find(({ id }) => id === point?.zone);
    return home?.country === zone.country ? point : undefined;
  }
  const points = catalogue.points.filter((each) => each.zone === zone.id);
  if (near === undefined) return points[0];
  return points.sort((a, b) => metresBetween(near, a.geo) - metresBetween(near, b.geo))[0];
}

export function slotTerms(catalogue: Catalogue, { slotId }: EffectInput<'slot.terms'>): EffectOutcome {
  const found = windowOf(catalogue, slotId);
  if (found === undefined) return { kind: 'done', output: { offered: false } };
  const { window, zone } = found;
  const { from, to } = window;
  const leadMs = zone.leadHours * HOUR_MS;
  return { kind: 'done', output: { offered: true, from, to, capacity: zone.capacity, leadMs } };
}
