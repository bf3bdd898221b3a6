// The carriers: two courier firms, a network of pickup points, and two posts. Each takes bookings and tells of them under its own
// names of fields and in its own words.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { type Carrier, carriers } from '../../contract/index.ts';
import { closed, country, id, word } from '../../contract/schema.ts';
import { courseAt, type Happens } from './carrier-course.ts';
import { carrierWords, type Happening } from './carrier-words.ts';
import { befalls, draw, opaque } from './faults.ts';
import {
  type Ask,
  done,
  type Operation,
  partnerOf,
  pendingOf,
  planned,
  refused,
  type Step,
  type World,
} from './operation.ts';

/** Couriers with an account in our courier app, by the firm that sends them. */
const RIDERS: { readonly [firm: string]: readonly string[] } = {
  swift: ['cur_anna', 'cur_boris', 'cur_chen', 'cur_dana', 'cur_elif', 'cur_femi'],
  dash: ['cur_goran', 'cur_hana'],
};
export const couriers: readonly string[] = Object.values(RIDERS).flat();

interface Shipment {
  readonly deliveryId: string;
  /** Our `<deliveryId>:<seq>`, as every event echoes it. */
  readonly reference: string;
  readonly carrier: string;
  readonly number: string;
  readonly tracking?: string;
  readonly state: 'booked' | 'void';
  readonly courier?: string;
  readonly point?: string;
}

const carrierPartner = partnerOf((error_code, message) => ({
  error_code,
  ...(message === undefined ? {} : { message }),
}));
const reference = Type.String({ pattern: '^[A-Za-z0-9_.-]{1,120}:[0-9]{1,4}$' });
const text = (max: number) => Type.String({ maxLength: max });

type Body = { readonly [field: string]: string };
const deliveryOf = (own: string): string => own.slice(0, own.lastIndexOf(':'));

/** The number of a booking follows from our reference; a second one under it, of a partner without business keys, has its own. */
const numberOf = ({ code }: Carrier, own: string, act = 1): string =>
  `${code.toUpperCase()}-${opaque(14, code, own, act === 1 ? '' : String(act))}`;

function booking(carrier: Carrier): Operation {
  const { fields } = carrier;
  return carrierPartner<Body>({
    effect: 'carrier.createShipment',
    path: carrier.book,
    reference: fields.reference,
    body: closed({
      [fields.reference]: reference,
      order_ref: id,
      [fields.barcode]: word,
      [fields.service]: word,
      [fields.recipient]: closed({ name: text(300), phone: Type.Optional(text(20)) }),
      [fields.address]: Type.Object({ countryCode: country }, { additionalProperties: true }),
      [fields.window]: Type.Optional(closed({ from: text(40), to: text(40) })),
      [fields.point]: Type.Optional(id),
    }),
    subject: (body) => deliveryOf(body[fields.reference] ?? ''),
    order: (body) => body.order_ref ?? '',
    decide(body, ask, world) {
      const own = body[fields.reference] ?? '';
      if (world.book.row('shipments', numberOf(carrier, own))?.state === 'void') return refused('booking_void', 409);
      if (befalls(world.faults, 'bookingRefusalRate', ask)) return refused('area_not_served');
      const shipment = shipmentFor(carrier, own, body[fields.point], ask, world);
      return done(
        { [fields.number]: shipment.number, ...trackingOf(carrier, shipment) },
        {
          result: shipment.number,
          callbacks: tellings(carrier, shipment, ask, world),
          sets: [
            { table: 'shipments', id: shipment.number, row: { ...shipment } },
            { table: 'latest', id: `shipment|${shipment.deliveryId}`, row: { number: shipment.number } },
          ],
        },
      );
    },
  });
}

function shipmentFor(carrier: Carrier, own: string, point: string | undefined, ask: Ask, world: World): Shipment {
  const riders = RIDERS[carrier.code] ?? [];
  const courier = riders[Math.floor(draw(world.faults.seed, 'courier', ask.businessKey) * riders.length)];
  return {
    deliveryId: deliveryOf(own),
    reference: own,
    carrier: carrier.code,
    number: numberOf(carrier, own, ask.act),
    state: 'booked',
    ...(carrier.fields.tracking === undefined
      ? {}
      : { tracking: `TRK-${opaque(12, carrier.code, own, String(ask.act))}` }),
    ...(courier === undefined ? {} : { courier }),
    ...(point === undefined ? {} : { point }),
  };
}

/** The course as callbacks: in order, or each by itself when the line shuffles them, or some twice under two ids. */
function tellings(carrier: Carrier, shipment: Shipment, ask: Ask, world: World) {
  const course = courseAt(carrier, ask, world);
  const isShuffled = befalls(world.faults, 'trackingShuffleRate', ask);
  const isTwice = befalls(world.faults, 'trackingTwiceRate', ask);
  const steps = course.flatMap((happens, index) => {
    const step = stepOf(carrier, shipment, happens, `${index} ${happens.what}`);
    return step === undefined ? [] : isTwice ? [step, again(step)] : [step];
  });
  const callbacks = planned(world, ask, steps);
  if (!isShuffled) return callbacks;
  // The last scan is told first: each waits for the one that happened after it.
  const end = steps.at(-1)?.dueAt ?? world.now;
  return callbacks.map(({ after: _, ...callback }, index) => {
    const next = callbacks[index + 1];
    const wait = next === undefined ? {} : { after: { eventId: next.eventId, until: 'tried' as const } };
    return { ...callback, dueAt: end, ...wait };
  });
}

/** The same scan under another id of the telling: its own id stays. */
const again = (step: Step): Step => ({ ...step, name: `${step.name} again` });

function stepOf(carrier: Carrier, shipment: Shipment, { what, at, reason }: Happens, name: string): Step | undefined {
  const { fields, code } = carrier;
  const said = carrierWords[code]?.[what];
  if (said === undefined) return undefined;
  const { courier, point } = shipment;
  return {
    name,
    from: code,
    path: `/partner/carrier/v1/${code}/tracking-events`,
    dueAt: at,
    body: {
      [fields.event]: `SCAN-${opaque(18, shipment.number, name, String(at))}`,
      [fields.reference]: shipment.reference,
      [fields.number]: shipment.number,
      [fields.status]: said,
      [fields.at]: new Date(at).toISOString(),
      ...trackingOf(carrier, shipment),
      ...(reason === undefined ? {} : { [fields.reason]: reason }),
      ...(courier === undefined || fields.courier === undefined ? {} : { [fields.courier]: courier }),
      ...(point === undefined || what !== 'ready_for_pickup' ? {} : { [fields.point]: point }),
    },
  };
}

const trackingOf = ({ fields }: Carrier, { tracking }: Shipment): JsonObject =>
  fields.tracking === undefined || tracking === undefined ? {} : { [fields.tracking]: tracking };

function cancelling(carrier: Carrier): Operation {
  const { fields } = carrier;
  return carrierPartner<Body>({
    effect: 'carrier.void',
    path: carrier.cancel,
    reference: 'cancel_ref',
    body: closed({ [fields.reference]: reference, cancel_ref: Type.String({ maxLength: 300 }), order_ref: id }),
    subject: (body) => deliveryOf(body[fields.reference] ?? ''),
    order: (body) => body.order_ref ?? '',
    decide(body, _ask, world) {
      const own = body[fields.reference] ?? '';
      const number = numberOf(carrier, own);
      // A booking that was never made is marked all the same: nothing is looked for in its name.
      const known = world.book.row('shipments', number) ?? {
        deliveryId: deliveryOf(own),
        reference: own,
        carrier: carrier.code,
        number,
      };
      return done(
        { state: 'cancelled' },
        {
          result: number,
          withdraw: pendingOf(world.book, `carrier.createShipment|${own}`),
          sets: [{ table: 'shipments', id: number, row: { ...known, state: 'void' } }],
        },
      );
    },
  });
}

/** Something that happens to a delivery's last booking now. Undefined: it has none. A text: the carrier has no such word. */
export function happensNow(
  deliveryId: string,
  what: Happening,
  reason: string | undefined,
  world: Pick<World, 'book' | 'now'>,
) {
  const { number } = (world.book.row('latest', `shipment|${deliveryId}`) ?? {}) as { readonly number?: string };
  const shipment = number === undefined ? undefined : (world.book.row('shipments', number) as unknown as Shipment);
  const carrier = carriers.find(({ code }) => code === shipment?.carrier);
  if (shipment === undefined || carrier === undefined) return undefined;
  const happens = { what, at: world.now, ...(reason === undefined ? {} : { reason }) };
  const step = stepOf(carrier, shipment, happens, what);
  if (step === undefined) return `${carrier.code} has no word for ${what}`;
  return { act: `carrier.createShipment|${shipment.reference}`, step };
}

export const carrierOperations: readonly Operation[] = carriers.flatMap((carrier) => [
  booking(carrier),
  cancelling(carrier),
]);
