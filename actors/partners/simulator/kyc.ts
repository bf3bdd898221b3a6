// The KYC vendor: applicants, looked at by machines and sometimes by people, with a verdict by webhook.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, country, id, word } from '../../contract/schema.ts';
import { befalls } from './faults.ts';
import {
  type Ask,
  done,
  idFor,
  minutes,
  type Operation,
  partnerOf,
  pendingOf,
  planned,
  refused,
  type Step,
  type World,
} from './operation.ts';

const kycPartner = partnerOf((errorCode, description) => ({
  errorCode,
  ...(description === undefined ? {} : { description }),
}));

const KYC_MINUTES = [2, 10] as const; // Automatic checks of documents and a selfie.
const REVIEW_MINUTES = [5, 30] as const; // A person at the partner looks at it.
const reference = Type.String({ minLength: 1, maxLength: 300 });

/** How an applicant was judged. */
export type Verdict = 'approved' | 'high_risk' | 'name_mismatch' | 'rejected' | 'resubmit' | 'in_review' | 'expired';

interface Applicant {
  readonly applicantId: string;
  readonly orderId: string;
  readonly actionRef: string;
}

const start = kycPartner<{ externalUserId: string; externalActionId: string }>({
  effect: 'kyc.start',
  path: '/kyc/v1/applicants',
  reference: 'externalActionId',
  body: closed({
    externalUserId: id,
    externalActionId: reference,
    levelName: word,
    fixedInfo: closed({
      fullName: Type.String({ minLength: 1, maxLength: 300 }),
      dob: Type.String({ maxLength: 10 }),
      nationality: Type.Optional(country),
    }),
    idDocs: Type.Array(closed({ idDocType: word, country }), { maxItems: 10 }),
  }),
  subject: (body) => body.externalUserId,
  decide({ externalUserId, externalActionId }, ask, world) {
    if (world.book.row('applicants', externalActionId)?.cancelled === true) return refused('applicant-cancelled', 409);
    const applicant: Applicant = {
      applicantId: idFor('APP-', ask),
      orderId: externalUserId,
      actionRef: externalActionId,
    };
    return done(
      { applicantId: applicant.applicantId, reviewStatus: 'init' },
      {
        result: applicant.applicantId,
        callbacks: planned(world, ask, steps(applicant, ask, world)),
        sets: [
          { table: 'applicants', id: externalActionId, row: { ...applicant } },
          { table: 'latest', id: `kyc|${externalUserId}`, row: { actionRef: externalActionId } },
        ],
      },
    );
  },
});

function steps(applicant: Applicant, ask: Ask, world: World): readonly Step[] {
  const { faults } = world;
  if (befalls(faults, 'kycSilentRate', ask)) return [];
  const decidedAt = world.now + minutes(world, ask, 'kyc', KYC_MINUTES);
  const tell = (verdict: Verdict, dueAt = decidedAt): Step => verdictOf(applicant, verdict, dueAt);
  if (befalls(faults, 'kycRejectRate', ask)) return [tell('rejected')];
  if (befalls(faults, 'kycResubmitRate', ask)) return [tell('resubmit')];
  if (befalls(faults, 'kycExpireRate', ask)) return [tell('expired')];
  const good = befalls(faults, 'kycNameMismatchRate', ask)
    ? 'name_mismatch'
    : befalls(faults, 'kycHighRiskRate', ask)
      ? 'high_risk'
      : 'approved';
  if (!befalls(faults, 'kycReviewRate', ask)) return [tell(good)];
  return [tell('in_review'), tell(good, decidedAt + minutes(world, ask, 'kyc review', REVIEW_MINUTES))];
}

const SAID: { readonly [verdict in Verdict]: JsonObject } = {
  approved: {
    type: 'applicantReviewed',
    reviewStatus: 'completed',
    reviewResult: { reviewAnswer: 'GREEN', riskLevel: 'LOW' },
  },
  high_risk: {
    type: 'applicantReviewed',
    reviewStatus: 'completed',
    reviewResult: { reviewAnswer: 'GREEN', riskLevel: 'HIGH' },
  },
  name_mismatch: {
    type: 'applicantReviewed',
    reviewStatus: 'completed',
    reviewResult: { reviewAnswer: 'GREEN', riskLevel: 'LOW', warnings: ['NAME_MISMATCH'] },
  },
  rejected: {
    type: 'applicantReviewed',
    reviewStatus: 'completed',
    reviewResult: { reviewAnswer: 'RED', reviewRejectType: 'FINAL', rejectLabels: ['FORGERY'] },
  },
  resubmit: {
    type: 'applicantReviewed',
    reviewStatus: 'completed',
    reviewResult: { reviewAnswer: 'RED', reviewRejectType: 'RETRY', rejectLabels: ['LOW_QUALITY'] },
  },
  in_review: { type: 'applicantOnHold', reviewStatus: 'onHold' },
  expired: { type: 'applicantExpired', reviewStatus: 'expired' },
};

export const verdicts: readonly string[] = Object.keys(SAID);

function verdictOf({ applicantId, orderId, actionRef }: Applicant, verdict: Verdict, dueAt: number): Step {
  return {
    name: verdict,
    from: 'kyc',
    path: '/partner/kyc/v1/webhooks',
    dueAt,
    body: {
      applicantId,
      externalUserId: orderId,
      externalActionId: actionRef,
      ...SAID[verdict],
      createdAt: new Date(dueAt).toISOString(),
    },
  };
}

const cancel = kycPartner<{ externalUserId: string; cancelledActionId: string }>({
  effect: 'kyc.cancel',
  path: '/kyc/v1/applicants/cancellations',
  reference: 'externalActionId',
  body: closed({ externalUserId: id, cancelledActionId: reference, externalActionId: reference }),
  subject: (body) => body.externalUserId,
  decide({ externalUserId, cancelledActionId }, _ask, world) {
    // Also one that never came here: it will not be begun any more.
    const known = world.book.row('applicants', cancelledActionId) ?? {
      orderId: externalUserId,
      actionRef: cancelledActionId,
    };
    return done(
      { reviewStatus: 'cancelled' },
      {
        result: cancelledActionId,
        withdraw: pendingOf(world.book, `kyc.start|${cancelledActionId}`),
        sets: [{ table: 'applicants', id: cancelledActionId, row: { ...known, cancelled: true } }],
      },
    );
  },
});

/** The verdict on an order's last applicant, to be told now; with the act whose own verdict it takes the place of. */
export function verdictNow(orderId: string, verdict: Verdict, world: Pick<World, 'book' | 'now'>) {
  const { actionRef } = (world.book.row('latest', `kyc|${orderId}`) ?? {}) as { readonly actionRef?: string };
  const applicant = actionRef === undefined ? undefined : world.book.row('applicants', actionRef);
  if (actionRef === undefined || applicant === undefined) return undefined;
  return { act: `kyc.start|${actionRef}`, step: verdictOf(applicant as unknown as Applicant, verdict, world.now) };
}

export const kyc: readonly Operation[] = [start, cancel];
