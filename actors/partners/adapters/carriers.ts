// Hub and carriers over HTTP. A booking goes to the carrier that was asked for, else to the first that serves the method, under that
// carrier's own names of fields.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { type Carrier, carrierFor, carrierOf, carriers, type EffectInput } from '../../contract/index.ts';
import type { Address, Person } from '../../people/index.ts';
import { type Asking, nameOf } from '../asking.ts';
import { type Errors, type Reading, reading } from '../exchange.ts';
import type { CarrierPort } from '../ports.ts';

type Booking = EffectInput<'carrier.createShipment'>;

export function carrierOver({ ask, people, bookings }: Asking): CarrierPort {
  return {
    preadvise: (call) =>
      ask('carrier.preadvise', call, {
        path: '/hub/v1/advices',
        errors: hubErrors,
        build: ({ orderId, deliveryId, envelopeId, method, country }, key) => ({
          noticeId: key,
          adviceRef: deliveryId,
          orderRef: orderId,
          barcode: envelopeId,
          lane: method.toUpperCase(),
          country,
        }),
      }),
    async createShipment(call) {
      const { input } = call;
      const carrier = chosen(input);
      if (carrier === undefined) return { kind: 'failed', error: { code: 'carrier_unknown' } };
      if (carrier !== FIRST && bookings !== undefined) {
        try {
          // Before the call: a booking whose answer is lost is given back at the same carrier.
          await bookings.putRecord(bookingRecord(input), carrier.code);
        } catch {
          return { kind: 'unknown', reason: 'the carrier of the booking could not be noted' };
        }
      }
      return ask('carrier.createShipment', call, {
        path: carrier.book,
        errors,
        async build(booking, key) {
          const [person, address] = await Promise.all([
            people.readPerson(booking.personRef),
            people.readAddress(booking.addressRef),
          ]);
          return person === undefined || address === undefined
            ? undefined
            : named(carrier, { booking, key, person, address });
        },
        read: bookedAt(carrier),
      });
    },
    async voidShipment(call) {
      let carrier: Carrier = FIRST;
      try {
        const noted = await bookings?.getRecord(bookingRecord(call.input));
        if (noted !== undefined) carrier = carrierOf(noted) ?? FIRST;
      } catch {
        return { kind: 'unknown', reason: 'the carrier of the booking could not be read' };
      }
      const { fields } = carrier;
      return ask('carrier.void', call, {
        path: carrier.cancel,
        errors,
        build: ({ deliveryId, seq, orderId }, key) => ({
          [fields.reference]: `${deliveryId}:${seq}`,
          cancel_ref: key,
          order_ref: orderId,
        }),
      });
    },
  };
}

const FIRST = carriers[0] as Carrier; // The table is not empty: nearly all bookings are with its first, and need no note.

const chosen = ({ carrier, method, service }: Booking): Carrier | undefined =>
  carrier === undefined ? carrierFor(method, service) : carrierOf(carrier);

const bookingRecord = ({ deliveryId, seq }: { readonly deliveryId: string; readonly seq: number }): string =>
  `carrier.${deliveryId}.${seq}`;

interface Said {
  readonly booking: Booking;
  readonly key: string;
  readonly person: Person;
  readonly address: Address;
}

function named({ fields }: Carrier, { booking, key, person, address }: Said): JsonObject {
  const { orderId, envelopeId, service, slot, pickupPointId } = booking;
  return {
    [fields.reference]: key,
    order_ref: orderId,
    [fields.barcode]: envelopeId,
    [fields.service]: (service ?? 'standard').toUpperCase(),
    [fields.recipient]: recipientOf(person),
    [fields.address]: { ...address },
    ...(slot === undefined
      ? {}
      : { [fields.window]: { from: new Date(slot.from).toISOString(), to: new Date(slot.to).toISOString() } }),
    ...(pickupPointId === undefined ? {} : { [fields.point]: pickupPointId }),
  };
}

const theirs = Type.String({ pattern: '^[A-Za-z0-9_.-]{1,80}$' });

/** The carrier's own number is the shipment's id: it is what its hotline asks for. */
function bookedAt({ code, fields }: Carrier): Reading {
  const { number, tracking } = fields;
  const schema = Type.Object({ [number]: theirs, ...(tracking === undefined ? {} : { [tracking]: theirs }) });
  return reading(schema, (answer) => {
    const told = answer as { readonly [field: string]: string }; // Both fields are text by the schema.
    const trackingNumber = tracking === undefined ? undefined : told[tracking];
    return {
      shipmentId: told[number] ?? '',
      carrier: code,
      ...(trackingNumber === undefined ? {} : { trackingNumber }),
    };
  });
}

const recipientOf = (person: Person): JsonObject => {
  const { recipient } = person;
  if (recipient === undefined) return { name: nameOf(person), phone: person.phone };
  return { name: recipient.name, ...(recipient.phone === undefined ? {} : { phone: recipient.phone }) };
};

const hubErrors: Errors = { at: ({ problem }) => problem, words: {} };
const errors: Errors = {
  at: ({ error_code }) => error_code,
  words: { booking_void: 'booking_void', method_not_served: 'refused', area_not_served: 'refused' },
};
