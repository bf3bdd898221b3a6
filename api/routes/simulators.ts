// `/simulators/v1`: the test environment's own hand on time and partners. Served where the business does not run in real time,
// and never in production; elsewhere these routes do not exist.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Role } from '../../actors/contract/dto.ts';
import {
  bureauResult,
  kycResult,
  shipmentAdvance,
  simulatorProfile,
  type TimeTravelled,
  timeTravel,
  timeTravelled,
} from '../../actors/contract/simulators.ts';
import type { Client } from '../../runtime/client.ts';
import { principalOf } from '../auth/gate.ts';
import { idempotencyKey } from '../commands.ts';
import { ApiProblem } from '../errors.ts';
import type { Typed } from '../frame.ts';
import type { PartnerControls } from '../partner-controls.ts';
import type { JsonObject, Parts } from '../parts.ts';

const allow: readonly Role[] = ['operator', 'admin', 'service'];
const delivery = Type.Object({ deliveryId: Type.String({ pattern: '^dlv_[A-Za-z0-9_.-]{1,76}$' }) });
const order = Type.Object({ orderId: Type.String({ pattern: '^ord_[A-Za-z0-9_.-]{1,76}$' }) });

export function registerSimulators(plain: FastifyInstance, parts: Parts): void {
  const { controls } = parts;
  if (controls === undefined) return;
  if (parts.ordering.virtualTime && parts.delivery.virtualTime) registerTime(plain, parts, controls);
  registerWishes(plain, controls);
}

function registerTime(plain: FastifyInstance, parts: Parts, controls: PartnerControls): void {
  const app = plain.withTypeProvider<Typed>();
  app.post(
    '/simulators/v1/time/travel',
    { config: { allow }, schema: { body: timeTravel, response: { 200: timeTravelled } } },
    async (request): Promise<TimeTravelled> => {
      const by = principalOf(request).subject;
      const wish = 'ms' in request.body ? forward(request, request.body.ms) : upTo(request.body.until);
      request.log.warn({ by, ...request.body }, 'time travel');
      // The contexts first: what partners tell then finds the new time.
      const [ordering, shipping] = await Promise.all([
        moved(parts.ordering, by, wish),
        moved(parts.delivery, by, wish),
      ]);
      const travelledMs = Math.max(ordering.travelledMs, shipping.travelledMs);
      await controls.call('POST', '/control/time', { travelledMs });
      return { ordering, delivery: shipping };
    },
  );
}

interface Wish {
  readonly ms: (client: Client) => number;
  readonly messageId: string;
  /** Another length under the message id is another wish; else it is the same one, measured a moment later. */
  readonly isExact: boolean;
}

/** A repeat under the same Idempotency-Key moves nothing. */
const forward = (request: FastifyRequest, ms: number): Wish => ({
  ms: () => ms,
  messageId: `key:${principalOf(request).subject.slice(0, 100)}:${idempotencyKey(request)}`,
  isExact: true,
});

/** Each context goes as far as it has to. Whoever asks again for the same moment asks for nothing more. */
const upTo = (until: string): Wish => ({
  ms: (client) => Date.parse(until) - client.domainNow(),
  messageId: `until:${Date.parse(until)}`,
  isExact: false,
});

async function moved(client: Client, by: string, wish: Wish): Promise<TimeTravelled['ordering']> {
  const ms = Math.floor(wish.ms(client));
  // Already there: a repeat, or a moment that is past.
  const gone = ms < 1 ? undefined : await client.travel(ms, by, { messageId: wish.messageId }).catch(tooFar);
  if (gone?.kind === 'key-reused' && wish.isExact) throw new ApiProblem('idempotency-key-reused');
  return {
    now: new Date(client.domainNow()).toISOString(),
    travelledMs: client.travelledMs,
    arrived: gone === undefined || gone.kind === 'key-reused' || gone.arrived,
  };
}

function tooFar(error: unknown): never {
  if ((error as { code?: unknown }).code !== 'travel-too-far' && (error as { code?: unknown }).code !== 'bad-setting')
    throw error;
  throw new ApiProblem('validation-failed', { detail: (error as Error).message }); // An OperatingError: it has a code.
}

function registerWishes(plain: FastifyInstance, controls: PartnerControls): void {
  const app = plain.withTypeProvider<Typed>();
  const noted = (request: FastifyRequest, what: string): void =>
    request.log.warn({ by: principalOf(request).subject, ...(request.params as object), what }, 'simulator wish');

  app.post(
    '/simulators/v1/shipments/:deliveryId/advance',
    { config: { allow }, schema: { params: delivery, body: shipmentAdvance } },
    async (request, reply) => {
      noted(request, request.body.status);
      const { status, ...reason } = request.body;
      const wish = { deliveryId: request.params.deliveryId, to: status, ...reason };
      return reply.code(202).send(await controls.call('POST', '/control/shipments/advance', wish));
    },
  );
  app.post(
    '/simulators/v1/kyc/:orderId/result',
    { config: { allow }, schema: { params: order, body: kycResult } },
    async (request, reply) => {
      noted(request, request.body.outcome);
      const { outcome, ...reason } = request.body;
      const wish = { orderId: request.params.orderId, verdict: outcome, ...reason };
      return reply.code(202).send(await controls.call('POST', '/control/kyc/verdict', wish));
    },
  );
  app.post(
    '/simulators/v1/bureau/:orderId/result',
    { config: { allow }, schema: { params: order, body: bureauResult } },
    async (request, reply) => {
      noted(request, request.body.outcome);
      const { orderId } = request.params;
      const wish = { jobId: await openJob(controls, orderId), stage: request.body.outcome };
      return reply.code(202).send(await controls.call('POST', '/control/bureau/stage', wish));
    },
  );

  app.get('/simulators/v1/profile', { config: { allow } }, () => controls.call('GET', '/control/faults'));
  app.put('/simulators/v1/profile', { config: { allow }, schema: { body: simulatorProfile } }, async (request) => {
    noted(request, 'name' in request.body ? request.body.name : 'faults');
    if ('name' in request.body) return await controls.call('PUT', '/control/profile', request.body);
    return await controls.call('PUT', '/control/faults', request.body.faults as JsonObject); // From a JSON body.
  });
}

/** The last print job of an order, by the partners' own ledger. */
async function openJob(controls: PartnerControls, orderId: string): Promise<string> {
  const ledger = await controls.call('GET', `/ledger?subject=${orderId}`);
  const world = ledger.world as
    | { printJobs?: { [orderId: string]: readonly { readonly jobId: string }[] } }
    | undefined;
  const job = world?.printJobs?.[orderId]?.at(-1);
  if (job === undefined) throw new ApiProblem('not-found', { detail: 'The bureau has no job of this order.' });
  return job.jobId;
}
