// The printing bureau: takes files of jobs, prints cards into envelopes, tells how far each is, and stops what can be stopped.
//
// A job's course is fixed when it is taken; where it stands follows from the time alone. Status files tell of it and may be late:
// the bureau does not wait for anybody to have heard. Files in both directions have count and checksum (batch-file.ts).

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, count } from '../../contract/schema.ts';
import { brokenFile, writeFile } from '../batch-file.ts';
import { befalls, opaque, setting } from './faults.ts';
import {
  type Ask,
  done,
  HOUR,
  idFor,
  minutes,
  type Operation,
  partnerOf,
  pendingOf,
  planned,
  refused,
  type Step,
  type Traces,
  type World,
} from './operation.ts';

export type JobStage = 'submitted' | 'acknowledged' | 'rejected' | 'printing' | 'spoiled' | 'printed' | 'withdrawn';

export interface Job {
  readonly orderId: string;
  readonly batchId: string;
  readonly workOrder: string;
  /** Stages still to come and gone, with their times; the last one not in the future is where the job stands. */
  readonly course: readonly { readonly stage: JobStage; readonly at: number }[];
  readonly envelopeId?: string;
  /** Code of a rejection or a spoiled print. */
  readonly reason?: string;
  readonly fixable?: boolean;
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
const QUEUE_MINUTES = [HOUR, 4 * HOUR] as const;
const PRINT_MINUTES = [3 * HOUR, 20 * HOUR] as const;
const BROKEN_TRIES_MAX = 3; // A file that is refused for its trailer is not mended by sending it as it is.

const printer = partnerOf((fault_code, text) => ({ fault_code, ...(text === undefined ? {} : { text }) }));

/** A file as the desk has it: taken apart, with a trailer that is right. */
interface Sent {
  readonly [field: string]: string | number | boolean | readonly (readonly string[])[];
  readonly reference: string;
  readonly batch: string;
  readonly records: readonly (readonly string[])[];
  readonly count: number;
  readonly checksum: string;
}

const fileOf = (kind: string, fields: number) =>
  closed({
    kind: Type.Literal(kind),
    reference: Type.String({ minLength: 1, maxLength: 300 }),
    batch: Type.String({ minLength: 1, maxLength: 120 }),
    records: Type.Array(Type.Array(Type.String({ maxLength: 200 }), { minItems: fields, maxItems: fields }), {
      minItems: 1,
      maxItems: 1, // One job a file: what becomes of it is told for each by itself.
    }),
    count,
    checksum: Type.String(),
    whole: Type.Literal(true),
  });

const field = ({ records }: Sent, index: number): string => records[0]?.[index] ?? '';

/** The answer to a file: its own count and checksum back, then a record for each of its own. */
const receipt = (sent: Sent, record: readonly string[]): string =>
  writeFile({
    kind: 'RECEIPT',
    reference: sent.reference,
    batch: sent.batch,
    records: [[String(sent.count), sent.checksum], record],
  });

const submit = printer<Sent>({
  effect: 'bureau.submit',
  path: '/bureau/files',
  file: true,
  reference: 'reference',
  body: fileOf('SUBMIT', 6),
  subject: (sent) => field(sent, 1),
  product: (sent) => field(sent, 3),
  decide(sent, ask, world) {
    const jobId = field(sent, 0);
    if (jobOf(jobId, world)?.course.some(({ stage }) => stage === 'withdrawn')) return refused('JOB_WITHDRAWN', 409);
    const workOrder = idFor('WO-', ask);
    const job: Job = { orderId: field(sent, 1), batchId: sent.batch, workOrder, ...courseOf(jobId, ask, world) };
    const silent = befalls(world.faults, 'bureauSilentRate', ask);
    const broken = befalls(world.faults, 'bureauBadChecksumRate', ask);
    const body = receipt(sent, [jobId, workOrder]);
    if (!silent && !broken) return done(body, { result: jobId, ...taken(jobId, job, ask, world) });
    // It lies there until it is sent again: nothing has been acknowledged, and nothing is printed.
    const waiting: Job = { orderId: job.orderId, batchId: job.batchId, workOrder, course: [] };
    const [ack] = stepsOf(jobId, job, world);
    const callbacks =
      broken && ack !== undefined
        ? planned(world, ask, [
            { ...ack, name: 'broken', body: brokenFile(String(ack.body)), triesMax: BROKEN_TRIES_MAX },
          ])
        : [];
    return done(body, { result: jobId, callbacks, sets: [{ table: 'jobs', id: jobId, row: { ...waiting } }] });
  },
  /** Sent again after silence: now it is taken. One that was taken is told of again, by the desk. */
  again(sent, ask, world): Traces | undefined {
    const jobId = field(sent, 0);
    const waiting = jobOf(jobId, world);
    if (waiting === undefined || waiting.course.length > 0) return undefined;
    const job: Job = { ...waiting, ...courseOf(jobId, ask, world) };
    return taken(jobId, job, ask, world, 1);
  },
});

/** The job in the book, its envelope, and what will be told of it. */
function taken(jobId: string, job: Job, ask: Ask, world: World, time = 0): Traces {
  const jobRow = { table: 'jobs' as const, id: jobId, row: { ...job } };
  const { envelopeId } = job;
  const callbacks = planned(
    world,
    ask,
    stepsOf(jobId, job, world, befalls(world.faults, 'bureauTwiceRate', ask)),
    time,
  );
  if (envelopeId === undefined) return { callbacks, sets: [jobRow] };
  const envelope: Envelope = { jobId, destroyed: false };
  return { callbacks, sets: [jobRow, { table: 'envelopes', id: envelopeId, row: { ...envelope } }] };
}

function courseOf(jobId: string, ask: Ask, world: World): Pick<Job, 'course' | 'envelopeId' | 'reason' | 'fixable'> {
  const { faults } = world;
  const ackAt = world.now + minutes(world, ask, 'ack', ACK_MINUTES);
  if (befalls(faults, 'bureauRejectFinalRate', ask))
    return { course: [{ stage: 'rejected', at: ackAt }], reason: 'E03', fixable: false };
  if (befalls(faults, 'bureauRejectRate', ask))
    return { course: [{ stage: 'rejected', at: ackAt }], reason: 'E01', fixable: true };

  const startAt = ackAt + minutes(world, ask, 'queue', QUEUE_MINUTES);
  const endAt = startAt + minutes(world, ask, 'print', PRINT_MINUTES);
  const course = (end: JobStage): Job['course'] => [
    { stage: 'acknowledged', at: ackAt },
    { stage: 'printing', at: startAt },
    { stage: end, at: endAt },
  ];
  const nth = Number(/_(\d+)$/.exec(jobId)?.[1] ?? 1); // Jobs of an order are counted in their names.
  if (nth <= (setting(faults, 'spoilTimes', ask) ?? 0) || befalls(faults, 'spoilRate', ask))
    return { course: course('spoiled'), reason: 'M01' };
  const envelopeId = `EMB-${opaque(12, 'envelope', ask.businessKey, String(ask.act))}`;
  return { course: course('printed'), envelopeId };
}

const CODES: { readonly [stage in JobStage]?: string } = {
  acknowledged: '10',
  printing: '30',
  spoiled: '39',
  printed: '50',
};

function stepsOf(jobId: string, job: Job, world: World, twice = false): readonly Step[] {
  const steps = job.course.map(({ stage, at }) => statusFile(jobId, job, stage, at));
  const last = steps.at(-1);
  if (!twice || last === undefined || job.envelopeId === undefined) return steps;
  return [...steps, { ...last, name: 'printed again', dueAt: last.dueAt + Math.ceil(60_000 / world.timeScale) }];
}

function statusFile(jobId: string, job: Job, stage: JobStage, dueAt: number): Step {
  const { orderId, batchId, workOrder, envelopeId, reason, fixable } = job;
  const code = stage === 'rejected' ? (fixable === false ? '18' : '19') : (CODES[stage] ?? '99');
  const why = stage === 'rejected' || stage === 'spoiled' ? (reason ?? '') : '';
  const barcode = stage === 'printed' ? (envelopeId ?? '') : '';
  return {
    name: stage,
    from: 'bureau',
    path: '/partner/bureau/v1/files',
    dueAt,
    body: writeFile({
      kind: stage === 'acknowledged' || stage === 'rejected' ? 'ACK' : 'STATUS',
      reference: `${workOrder}.${code}`,
      batch: batchId,
      records: [[workOrder, jobId, orderId, code, why, barcode]],
    }),
  };
}

const withdraw = printer<Sent>({
  effect: 'bureau.withdraw',
  path: '/bureau/withdrawals',
  file: true,
  reference: 'reference',
  body: fileOf('WITHDRAW', 2),
  subject: (sent) => field(sent, 1),
  decide(sent, _ask, world) {
    const jobId = field(sent, 0);
    const job = jobOf(jobId, world);
    const stage = job === undefined ? 'submitted' : stageAt(job, world.now);
    const envelopeId = job?.envelopeId;
    const envelope = envelopeId === undefined ? undefined : envelopeOf(envelopeId, world);
    const said = (code: string): string => receipt(sent, [jobId, code]);
    if (stage === 'printed' && envelope?.hubAt !== undefined && envelope.hubAt <= world.now)
      return done(said('W2'), { result: 'shipped' });

    // Nothing more will be told of the job, nor by the hub of its envelope.
    const gone = (job?.course ?? []).filter(({ at }) => at <= world.now);
    const course = [...gone, { stage: 'withdrawn' as const, at: world.now }];
    const row: Job = { batchId: '', workOrder: '', orderId: field(sent, 1), ...job, course };
    const caught = stage === 'printing' || stage === 'printed';
    return done(said(caught ? 'W1' : 'W0'), {
      result: caught ? 'intercepted' : 'withdrawn',
      withdraw: [
        ...(job === undefined ? [] : pendingOf(world.book, `bureau.submit|${job.batchId}:${jobId}`)),
        ...(envelope?.deliveryId === undefined
          ? []
          : pendingOf(world.book, `carrier.preadvise|${envelope.deliveryId}`)),
      ],
      sets: [
        { table: 'jobs', id: jobId, row: { ...row } },
        ...(envelopeId === undefined
          ? []
          : [{ table: 'envelopes' as const, id: envelopeId, row: { ...envelope, destroyed: true } }]),
      ],
    });
  },
});

/** Where a job stands at `now`. */
export const stageAt = (job: Job, now: number): JobStage =>
  job.course.reduce<JobStage>((stage, next) => (next.at <= now ? next.stage : stage), 'submitted');

const jobOf = (jobId: string, world: Pick<World, 'book'>): Job | undefined =>
  world.book.row('jobs', jobId) as (Job & JsonObject) | undefined; // Rows of this table are written here alone.

export const envelopeOf = (envelopeId: string, world: Pick<World, 'book'>): Envelope | undefined =>
  world.book.row('envelopes', envelopeId) as (Envelope & JsonObject) | undefined; // Written here and by the hub.

/** A stage of a job to be told now, and the job's course from now on. Undefined: the bureau does not know the job. */
export function stageNow(jobId: string, stage: JobStage, world: Pick<World, 'book' | 'now'>) {
  const known = jobOf(jobId, world);
  if (known === undefined) return undefined;
  const envelopeId = known.envelopeId ?? `EMB-${opaque(12, 'envelope', 'wished', jobId)}`;
  const course = [...known.course.filter(({ at }) => at < world.now), { stage, at: world.now }];
  const reason = known.reason ?? (stage === 'spoiled' ? 'M03' : 'E02');
  const job: Job = { ...known, course, reason, ...(stage === 'printed' ? { envelopeId } : {}) };
  const envelope: Envelope = { jobId, destroyed: false };
  const sets = [
    { table: 'jobs' as const, id: jobId, row: { ...job } },
    ...(stage === 'printed' ? [{ table: 'envelopes' as const, id: envelopeId, row: { ...envelope } }] : []),
  ];
  return {
    act: `bureau.submit|${job.batchId}:${jobId}`,
    orderId: job.orderId,
    sets,
    step: statusFile(jobId, job, stage, world.now),
  };
}

export const bureau: readonly Operation[] = [submit, withdraw];
