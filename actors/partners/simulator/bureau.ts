// The printing bureau: takes jobs, prints cards into envelopes, tells how far each is, and stops what can be stopped.
//
// A job's course is fixed when it is taken; where it stands follows from the time alone. Callbacks tell of it and may be
// late: the bureau does not wait for anybody to have heard.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, id, word } from '../../contract/schema.ts';
import { befalls, opaque } from './faults.ts';
import {
  type Ask,
  done,
  minutes,
  type Operation,
  operation,
  planned,
  refused,
  type Step,
  type World,
} from './operation.ts';

export type JobStage = 'submitted' | 'acknowledged' | 'rejected' | 'printing' | 'spoiled' | 'printed' | 'withdrawn';

export interface Job {
  readonly orderId: string;
  readonly batchId: string;
  /** Stages still to come and gone, with their times; the last one not in the future is where the job stands. */
  readonly course: readonly { readonly stage: JobStage; readonly at: number }[];
  readonly envelopeId?: string;
}

/** Where a printed envelope is. `hubAt`: when the hub scans it, known once the hub expects it. */
export interface Envelope {
  readonly jobId?: string;
  readonly destroyed: boolean;
  readonly hubAt?: number;
  /** The delivery that the hub expects it for. */
  readonly deliveryId?: string;
}

const ACK_MINUTES = [1, 15] as const;
const QUEUE_MINUTES = [60, 4 * 60] as const;
const PRINT_MINUTES = [3 * 60, 20 * 60] as const;

const submit = operation<{ orderId: string; jobId: string; batchId: string; productCode: string }>({
  effect: 'bureau.submit',
  path: '/bureau/jobs',
  body: closed({
    orderId: id,
    jobId: id,
    batchId: id,
    cardId: id,
    productCode: word,
    designId: word,
    embossedName: Type.String({ minLength: 1, maxLength: 60 }),
  }),
  subject: (body) => body.orderId,
  product: (body) => body.productCode,
  decide(body, ask, world) {
    if (jobOf(body.jobId, world)?.course.some(({ stage }) => stage === 'withdrawn'))
      return refused('job_withdrawn', undefined, 409);
    const course = courseOf(ask, world);
    const envelopeId = `EMB-${opaque(12, 'envelope', ask.businessKey, String(ask.act))}`;
    const prints = course.some(({ stage }) => stage === 'printed');
    const job: Job = { orderId: body.orderId, batchId: body.batchId, course, ...(prints ? { envelopeId } : {}) };
    const jobRow = { table: 'jobs' as const, id: body.jobId, row: { ...job } };
    const envelope: Envelope = { jobId: body.jobId, destroyed: false };
    return done(
      { accepted: true },
      {
        result: body.jobId,
        callbacks: planned(world, ask, stepsOf(body.orderId, body.jobId, job)),
        sets: prints ? [jobRow, { table: 'envelopes', id: envelopeId, row: { ...envelope } }] : [jobRow],
      },
    );
  },
});

function courseOf(ask: Ask, world: World): Job['course'] {
  const ackAt = world.now + minutes(world, ask, 'ack', ACK_MINUTES);
  if (befalls(world.faults, 'bureauRejectRate', ask)) return [{ stage: 'rejected', at: ackAt }];
  const startAt = ackAt + minutes(world, ask, 'queue', QUEUE_MINUTES);
  const endAt = startAt + minutes(world, ask, 'print', PRINT_MINUTES);
  const end = befalls(world.faults, 'spoilRate', ask) ? 'spoiled' : 'printed';
  return [
    { stage: 'acknowledged', at: ackAt },
    { stage: 'printing', at: startAt },
    { stage: end, at: endAt },
  ];
}

const REASONS: { readonly [stage in JobStage]?: string } = { rejected: 'name_too_long', spoiled: 'embosser_jam' };

function stepsOf(orderId: string, jobId: string, job: Job): readonly Step[] {
  return job.course.map(({ stage, at }) => ({
    name: stage,
    path: `/partner/bureau/v1/jobs/${encodeURIComponent(orderId)}/status`,
    dueAt: at,
    body: {
      jobId,
      status: stage,
      ...(stage === 'printed' ? { envelopeId: job.envelopeId } : {}),
      ...(REASONS[stage] === undefined ? {} : { reason: REASONS[stage] }),
    },
  }));
}

const withdraw = operation<{ orderId: string; jobId: string }>({
  effect: 'bureau.withdraw',
  path: '/bureau/withdrawals',
  body: closed({ orderId: id, jobId: id }),
  subject: (body) => body.orderId,
  decide(body, _ask, world) {
    const job = jobOf(body.jobId, world);
    const stage = job === undefined ? 'submitted' : stageAt(job, world.now);
    const envelopeId = job?.envelopeId;
    const envelope = envelopeId === undefined ? undefined : envelopeOf(envelopeId, world);
    if (stage === 'printed' && envelope?.hubAt !== undefined && envelope.hubAt <= world.now) {
      return done({ outcome: 'shipped' }, { result: 'shipped' });
    }

    // Nothing more will be told of the job, nor by the hub of its envelope.
    const course = [
      ...(job?.course ?? []).filter(({ at }) => at <= world.now),
      { stage: 'withdrawn' as const, at: world.now },
    ];
    const outcome = stage === 'printing' || stage === 'printed' ? 'intercepted' : 'withdrawn';
    const row: Job = { batchId: '', orderId: body.orderId, ...job, course };
    return done(
      { outcome },
      {
        result: outcome,
        withdraw: pendingOf(
          world,
          (code, told) => told.jobId === body.jobId || (code === HUB && told.envelopeId === envelopeId),
        ),
        sets: [
          { table: 'jobs', id: body.jobId, row: { ...row } },
          ...(envelopeId === undefined
            ? []
            : [{ table: 'envelopes' as const, id: envelopeId, row: { ...envelope, destroyed: true } }]),
        ],
      },
    );
  },
});

const HUB = 'envelope_ready';

/** Pending callbacks whose body says that they are about this; the first argument is a carrier's code, if any. */
function pendingOf(world: World, about: (code: string | undefined, told: JsonObject) => boolean): readonly string[] {
  const ids: string[] = [];
  for (const { callback } of world.book.pending()) {
    const { code, data, jobId } = callback.body as { code?: string; jobId?: string; data?: JsonObject }; // Bodies are made in this folder.
    if (about(code, { jobId, envelopeId: data?.envelopeId })) ids.push(callback.eventId);
  }
  return ids;
}

/** Where a job stands at `now`. */
export const stageAt = (job: Job, now: number): JobStage =>
  job.course.reduce<JobStage>((stage, next) => (next.at <= now ? next.stage : stage), 'submitted');

const jobOf = (jobId: string, world: World): Job | undefined =>
  world.book.row('jobs', jobId) as (Job & JsonObject) | undefined; // Rows of this table are written here alone.

export const envelopeOf = (envelopeId: string, world: World): Envelope | undefined =>
  world.book.row('envelopes', envelopeId) as (Envelope & JsonObject) | undefined; // Written here and by the carrier.

export const bureau: readonly Operation[] = [submit, withdraw];
