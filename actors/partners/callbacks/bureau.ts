// The bureau's status files in our words. A record: work order, our job, our order, status code, reason code, barcode.

import type { bureauReasons, OrderMessage } from '../../contract/index.ts';
import type { ReadFile } from '../batch-file.ts';
import { wordIn } from '../word-in.ts';
import type { Told } from './told.ts';

type BureauReason = (typeof bureauReasons)[number];

const REASONS: { readonly [code: string]: BureauReason } = {
  E01: 'name_too_long',
  E02: 'name_not_embossable',
  E03: 'design_unavailable',
  E04: 'data_invalid',
  E05: 'out_of_stock',
  M01: 'embosser_jam',
  M02: 'chip_failure',
  M03: 'print_defect',
};

const ID = /^[A-Za-z0-9_.-]{1,120}$/;
const BARCODE = /^[A-Za-z0-9-]{4,40}$/;

/**
 * Each record's telling. Of a file whose trailer is wrong nothing is taken, least of all an acknowledgement (O-17): `broken`. A
 * record that cannot be read is left out of a whole file's answer and named.
 */
export function toldByBureau(
  file: Pick<ReadFile, 'kind' | 'records' | 'whole'>,
  id: string,
): readonly Told[] | 'broken' {
  if (!file.whole) return 'broken';
  if (file.kind !== 'ACK' && file.kind !== 'STATUS') return [];
  return file.records.map((fields, index): Told => {
    const [, jobId = '', orderId = '', code = '', reason = '', barcode = ''] = fields;
    const readable = ID.test(jobId) && ID.test(orderId);
    const event = readable ? eventOf(jobId, code, wordIn(REASONS, reason), barcode) : undefined;
    const told: Told = { partner: 'bureau', id: `${id}.${index}`, context: 'ordering', actor: orderId, event };
    return event === undefined ? { ...told, strange: /^\w{1,20}$/.test(code) ? code : 'unreadable' } : told;
  });
}

function eventOf(
  jobId: string,
  code: string,
  reason: BureauReason | undefined,
  barcode: string,
): OrderMessage | undefined {
  switch (code) {
    case '10':
      return { type: 'BUREAU_ACK', jobId };
    case '18':
    case '19':
      return { type: 'BUREAU_REJECTED', jobId, reason: reason ?? 'other', fixable: code === '19' };
    case '30':
      return { type: 'PRINT_STARTED', jobId };
    case '39':
      return { type: 'PRINT_SPOILED', jobId, reason: reason ?? 'other' };
    case '50':
      return BARCODE.test(barcode) ? { type: 'PRINTED', jobId, envelopeId: barcode } : undefined;
    default:
      return undefined;
  }
}
