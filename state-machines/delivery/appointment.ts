// Region `appointment`: when and for how long somebody will be at home. The recipient chooses, the slot confirms, and he may
// choose anew. Only deliveries by courier have one.
//
// A choice is a request: the slot's own actor says whether a place is left (DL8). Until it does, nothing is confirmed.

import { and } from 'xstate';
import type { DeliveryContext } from './context.ts';
import { delivering } from './delivery-setup.ts';
import { freeSlot, notice, publication, raise, takePlace, tell } from './phrases.ts';

/** Until the recipient has a time: reminded twice, and after a week the envelope goes back. */
const choosing = (self: 'proposed' | 'rescheduling') =>
  ({
    initial: 'open',
    states: {
      open: {
        on: {
          SLOT_CHOSEN: {
            description: 'D-04',
            guard: 'slotLiesAhead',
            target: 'reserving',
            actions: ['noteAsked', takePlace],
          },
        },
      },
      reserving: {
        on: {
          SLOT_TAKEN: {
            description: 'D-04',
            guard: 'isThisTurn',
            target: '#delivery.appointment.confirmed',
            actions: 'takeSlot',
          },
          SLOT_FULL: {
            description: 'D-04',
            guard: 'isThisTurn',
            target: 'open',
            actions: ['forgetAsked', notice('slot_full', ({ turn }) => turn)],
          },
          // Another one is wanted before the first has answered.
          SLOT_CHOSEN: {
            description: 'D-04',
            guard: 'slotLiesAhead',
            target: 'reserving',
            reenter: true,
            actions: [freeSlot, 'noteAsked', takePlace],
          },
        },
        after: {
          slotSilent: {
            description: 'D-04',
            target: 'open',
            actions: [freeSlot, notice('slot_full', ({ turn }) => turn)],
          },
        },
      },
    },
    after: {
      slotReminder1: { description: 'D-05', actions: notice('choose_slot_first_reminder') },
      slotReminder2: { description: 'D-05', actions: notice('choose_slot_second_reminder') },
      slotAbandoned: [
        {
          description: 'D-05',
          guard: 'isAbandoned',
          target: 'closed',
          actions: [freeSlot, raise({ type: 'ABANDONED' })],
        },
        // The envelope is not even here: the week begins again.
        { description: 'D-05', target: self, reenter: true, actions: freeSlot },
      ],
    },
  }) as const;

interface Asked {
  readonly context: DeliveryContext;
  readonly event: { readonly role: string };
}
const moved = {
  description: 'D-06',
  guard: and(['isBeforePickup', 'mayReschedule']),
  target: 'rescheduling',
  actions: [
    'countReschedule',
    freeSlot,
    'countPublication',
    {
      type: 'tellOrdering',
      params: ({ context, event }: Asked) => publication(context, 'DeliveryRescheduled', { by: event.role }),
    },
    raise({ type: 'SLOT_RELEASED' }),
  ],
} as const;

export const appointment = delivering.createStateConfig({
  initial: 'none',
  states: {
    none: {
      on: {
        SLOTS_PROPOSED: { description: 'D-01', guard: 'isByCourier', target: 'proposed' },
        SLOT_MISSED: { description: 'D-23', target: 'rescheduling' },
        REROUTED: { description: 'D-32', guard: 'isByCourier', target: 'proposed' },
      },
    },
    proposed: {
      entry: notice('choose_slot'),
      ...choosing('proposed'),
      on: { REROUTED: { description: 'D-32', guard: 'isCarried', target: 'none', actions: freeSlot } },
    },
    confirmed: {
      entry: [...tell('AppointmentConfirmed', ({ slot }) => ({ ...slot }))],
      on: {
        RESCHEDULE: moved,
        'delivery.reschedule': moved,
        SLOT_MISSED: { description: 'D-23', target: 'missed', actions: freeSlot },
        TRY_OVER: { description: 'D-23', target: 'none', actions: freeSlot },
        REROUTED: [
          { description: 'D-32', guard: 'keepsSlot' },
          { description: 'D-32', guard: 'isByCourier', target: 'rescheduling', actions: freeSlot },
          { description: 'D-32', target: 'none', actions: freeSlot },
        ],
      },
      after: {
        dayBefore: { description: 'D-04', guard: 'slotIsADayOff', actions: notice('slot_tomorrow') },
        hoursBefore: { description: 'D-04', actions: notice('slot_today') },
      },
    },
    rescheduling: {
      entry: notice('choose_slot_again', ({ attempt, reschedules }) => attempt * 10 + reschedules),
      ...choosing('rescheduling'),
      on: { REROUTED: { description: 'D-32', guard: 'isCarried', target: 'none', actions: freeSlot } },
    },
    missed: { always: { description: 'D-23', target: 'rescheduling' } },
    kept: { type: 'final' },
    closed: { type: 'final' },
  },
  on: {
    HANDED_OVER: { description: 'D-20', target: '.kept', actions: freeSlot },
    APPOINTMENT_OVER: { description: 'D-05', target: '.closed', actions: freeSlot },
    TRANSPORT_ENDED: { description: 'D-05', target: '.closed', actions: freeSlot },
  },
});
