// The hub's scans in our words.

import type { HubScan } from '../../contract/callbacks.ts';
import type { DeliveryMessage } from '../../contract/index.ts';
import type { Told } from './told.ts';

export function toldByHub(scan: HubScan, id: string): Told {
  const event = eventOf(scan);
  const told: Told = { partner: 'hub', id, context: 'delivery', actor: scan.adviceRef, event };
  return event === undefined ? { ...told, strange: scan.scanCode } : told;
}

function eventOf({ scanCode, barcode }: HubScan): DeliveryMessage | undefined {
  switch (scanCode) {
    case 'INTAKE':
      return { type: 'ENVELOPE_READY', envelopeId: barcode };
    case 'INTAKE_DAMAGED':
      return { type: 'DAMAGED' };
    default:
      return undefined;
  }
}
