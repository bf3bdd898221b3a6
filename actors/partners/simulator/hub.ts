// The hub: is told which envelopes to expect for whom, and scans them in.

import { Type } from 'typebox';
import { closed, country, id, word } from '../../contract/schema.ts';
import { type Envelope, envelopeOf } from './bureau.ts';
import { befalls } from './faults.ts';
import { done, HOUR, minutes, type Operation, partnerOf, planned, type Step, type World } from './operation.ts';

const TO_HUB_MINUTES = [HOUR, 6 * HOUR] as const;
const hubPartner = partnerOf((problem, text) => ({ problem, ...(text === undefined ? {} : { text }) }));

const advise = hubPartner<{ adviceRef: string; orderRef: string; barcode: string }>({
  effect: 'carrier.preadvise',
  path: '/hub/v1/advices',
  reference: 'noticeId',
  body: closed({
    noticeId: Type.String({ minLength: 1, maxLength: 300 }),
    adviceRef: id,
    orderRef: id,
    barcode: word,
    lane: word,
    country,
  }),
  subject: ({ adviceRef }) => adviceRef,
  order: ({ orderRef }) => orderRef,
  decide({ adviceRef, barcode }, ask, world) {
    const known = envelopeOf(barcode, world);
    if (known?.destroyed) return done({ expected: false }); // It was caught after all; the hub waits for nothing.
    const advised: Envelope = { ...known, destroyed: false, deliveryId: adviceRef };
    const set = (row: Envelope) => [{ table: 'envelopes' as const, id: barcode, row: { ...row } }];
    if (befalls(world.faults, 'hubSilentRate', ask)) return done({ expected: true }, { sets: set(advised) });

    const hubAt = world.now + minutes(world, ask, 'hub', TO_HUB_MINUTES);
    const code = befalls(world.faults, 'hubDamagedRate', ask) ? 'INTAKE_DAMAGED' : 'INTAKE';
    const callbacks = planned(world, ask, [scanOf(adviceRef, barcode, code, hubAt)]);
    return done({ expected: true }, { callbacks, sets: set({ ...advised, hubAt }) });
  },
});

function scanOf(deliveryId: string, barcode: string, scanCode: string, dueAt: number): Step {
  const body = { scanCode, barcode, adviceRef: deliveryId, scannedAt: new Date(dueAt).toISOString() };
  return { name: scanCode, from: 'hub', path: '/partner/hub/v1/scans', dueAt, body, idField: 'scanNo' };
}

/** A scan of the envelope that is expected for a delivery, now. Undefined: none is. */
export function scanNow(deliveryId: string, barcode: string | undefined, world: Pick<World, 'book' | 'now'>) {
  if (barcode === undefined) return undefined;
  const envelope: Envelope = { destroyed: false, ...envelopeOf(barcode, world), deliveryId, hubAt: world.now };
  return {
    act: `carrier.preadvise|${deliveryId}`,
    step: scanOf(deliveryId, barcode, 'INTAKE', world.now),
    sets: [{ table: 'envelopes' as const, id: barcode, row: { ...envelope } }],
  };
}

export const hub: readonly Operation[] = [advise];
