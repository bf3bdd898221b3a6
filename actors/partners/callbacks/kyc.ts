// The KYC vendor's webhooks in our words: GREEN and RED, to be tried again or final, with labels.

import type { ApplicantWebhook } from '../../contract/callbacks.ts';
import type { OrderMessage, screeningReasons } from '../../contract/index.ts';
import { wordIn } from '../word-in.ts';
import type { Told } from './told.ts';

type ScreeningReason = (typeof screeningReasons)[number];

/** The vendor's labels; one that is not here is `other`. */
const REASONS: { readonly [label: string]: ScreeningReason } = {
  FORGERY: 'document_forged',
  LOW_QUALITY: 'document_blurred',
  UNSATISFACTORY_PHOTOS: 'document_blurred',
  EXPIRATION_DATE: 'document_expired',
  INCOMPLETE_DOCUMENT: 'document_incomplete',
  DOCUMENT_TYPE_UNSUPPORTED: 'document_unsupported',
  SELFIE_MISMATCH: 'face_mismatch',
  NAME_MISMATCH: 'name_mismatch',
  PROBLEMATIC_APPLICANT_DATA: 'data_mismatch',
};

const RISKS: { readonly [level: string]: 'low' | 'medium' | 'high' } = { LOW: 'low', MEDIUM: 'medium', HIGH: 'high' };

export function toldByKyc(body: ApplicantWebhook, id: string): Told {
  const event = eventOf(body);
  const strange =
    event === undefined ? `${body.type}/${body.reviewResult?.reviewAnswer ?? body.reviewStatus}` : undefined;
  const told: Told = { partner: 'kyc', id, context: 'ordering', actor: body.externalUserId, event };
  return strange === undefined ? told : { ...told, strange };
}

function eventOf({ type, reviewResult, externalActionId }: ApplicantWebhook): OrderMessage | undefined {
  const tried = attemptOf(externalActionId);
  switch (type) {
    case 'applicantOnHold':
    case 'applicantPending':
      return { type: 'KYC_IN_REVIEW', ...tried };
    case 'applicantExpired':
      return { type: 'KYC_EXPIRED', ...tried };
    case 'applicantReviewed':
      return reviewResult === undefined ? undefined : verdictOf(reviewResult, tried);
    default:
      return undefined;
  }
}

function verdictOf(
  { reviewAnswer, reviewRejectType, rejectLabels, warnings, riskLevel }: NonNullable<ApplicantWebhook['reviewResult']>,
  tried: { readonly attempt?: number },
): OrderMessage | undefined {
  const label = rejectLabels?.[0];
  const reason = label === undefined ? undefined : (wordIn(REASONS, label) ?? 'other');
  if (reviewAnswer === 'GREEN') {
    // A level that we do not know is no low one.
    const risk = riskLevel === undefined ? {} : { risk: wordIn(RISKS, riskLevel) ?? 'high' };
    const matches = warnings?.includes('NAME_MISMATCH') ? { nameMatch: false } : {};
    return { type: 'KYC_APPROVED', ...tried, ...risk, ...matches };
  }
  if (reviewAnswer !== 'RED') return undefined;
  if (reviewRejectType === 'RETRY') return { type: 'KYC_RESUBMIT', ...tried, reason: reason ?? 'documents' };
  if (reviewRejectType === 'FINAL') return { type: 'KYC_REJECTED', ...tried, reason: reason ?? 'rejected' };
  return undefined; // Neither final nor to be repeated: nobody is rejected for a word that we do not know.
}

/** Our attempt, out of the reference that the vendor echoes. */
function attemptOf(reference: string | undefined): { readonly attempt?: number } {
  const found = /:(\d{1,3})$/.exec(reference ?? '')?.[1];
  return found === undefined || Number(found) < 1 ? {} : { attempt: Number(found) };
}
