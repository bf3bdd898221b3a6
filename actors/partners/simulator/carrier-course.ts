// What will happen to one booking, and when: decided when it is made, by the kind of carrier and the faults.
//
// Courier firms find somebody who comes to the hub; what the courier then does is done through the courier api. Points and post
// carry the envelope themselves and tell of it.

import type { Carrier } from '../../contract/index.ts';
import type { Happening } from './carrier-words.ts';
import { befalls, type Faults, type OutcomeName, setting } from './faults.ts';
import { type Ask, HOUR, minutes, type World } from './operation.ts';

export interface Happens {
  readonly what: Happening;
  readonly at: number;
  readonly reason?: string;
}

const LOOKUP_MINUTES = [5, 60] as const;
const TO_PICKUP_MINUTES = [10, 60] as const;
/** Of points and post, from one scan to the next. */
const LEG_MINUTES = [4 * HOUR, 14 * HOUR] as const;

export function courseAt(carrier: Carrier, ask: Ask, world: World): readonly Happens[] {
  const happens: Happens[] = [];
  let at = world.now;
  const then = (what: Happening, bounds: readonly [number, number] = LEG_MINUTES, reason?: string): void => {
    at += minutes(world, ask, `${happens.length} ${what}`, bounds);
    happens.push({ what, at, ...(reason === undefined ? {} : { reason }) });
  };
  if (carrier.kind === 'courier') courierCourse(then, ask, world);
  else parcelCourse(carrier, then, ask, world);
  return turned(happens, ask, world);
}

type Then = (what: Happening, bounds?: readonly [number, number], reason?: string) => void;

function courierCourse(then: Then, ask: Ask, { faults }: World): void {
  const is = (name: OutcomeName): boolean => befalls(faults, name, ask);
  const isFound = !is('courierNotFoundRate');
  then(isFound ? 'courier_found' : 'courier_not_found', LOOKUP_MINUTES);
  if (!isFound || is('courierNeverArrivesRate')) return;
  then('courier_at_hub', TO_PICKUP_MINUTES);
  if (is('courierOfflineRate')) then('courier_offline', TO_PICKUP_MINUTES, 'rider_offline');
  if (accident(then, ask, faults)) return;
  if (is('attemptFailRate')) then('attempt_failed', TO_PICKUP_MINUTES, reasonFor(ask, faults));
  if (is('returnedRate')) back(then);
  else if (is('unattendedRate')) then('delivered', TO_PICKUP_MINUTES); // By the firm's word alone: nobody has shown a proof.
}

function parcelCourse({ code, kind }: Carrier, then: Then, ask: Ask, { faults }: World): void {
  const is = (name: OutcomeName): boolean => befalls(faults, name, ask);
  if (code === 'letterpost') {
    then('in_transit'); // Untracked: that it was posted is all that is ever said, unless it comes back.
    if (is('returnedRate')) back(then);
    return;
  }
  then('pre_transit', LOOKUP_MINUTES);
  if (is('trackingSilentRate')) return;
  then('in_transit');
  if (accident(then, ask, faults)) return;
  then('at_hub');
  if (is('returnedRate')) back(then);
  else if (kind === 'points') then('ready_for_pickup');
  else toTheDoor(then, is('attemptFailRate') ? reasonFor(ask, faults) : undefined);
}

/** Once, or twice when the first time fails for `reason`. */
function toTheDoor(then: Then, reason: string | undefined): void {
  then('out_for_delivery');
  if (reason !== undefined) {
    then('attempt_failed', LEG_MINUTES, reason);
    then('out_for_delivery');
  }
  then('delivered');
}

const reasonFor = (ask: Ask, faults: Faults): string => setting(faults, 'attemptReason', ask) ?? 'no_answer';

/** Whether the envelope goes no further by itself. */
function accident(then: Then, ask: Ask, faults: Faults): boolean {
  if (befalls(faults, 'stolenRate', ask)) {
    then('stolen');
    return true;
  }
  if (befalls(faults, 'damagedRate', ask)) {
    then('damaged');
    back(then);
    return true;
  }
  if (befalls(faults, 'lostRate', ask)) {
    then('missing');
    then('lost');
    return true;
  }
  if (befalls(faults, 'foundRate', ask)) {
    then('missing');
    then('found');
  }
  return false;
}

function back(then: Then): void {
  then('returning');
  then('returned');
}

/** An old scan told after a newer one, with its own older time. */
function turned(happens: readonly Happens[], ask: Ask, { faults }: World): readonly Happens[] {
  const last = happens.at(-1);
  const first = happens.find(({ what }) => what === 'in_transit');
  if (last === undefined || first === undefined || first === last) return happens;
  return befalls(faults, 'trackingBackwardsRate', ask) ? [...happens, { ...first, at: last.at + 1 }] : happens;
}
