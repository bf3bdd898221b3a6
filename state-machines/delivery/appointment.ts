// Region `appointment`: when and for how long somebody will be at home. The recipient chooses, and may choose anew.

import { and } from 'xstate';
import { delivering, notice, publication, raise, task, tell } from './delivery-setup.ts';

/** Until the recipient chooses: reminded twice, and after a week the envelope goes back. */
const choosing = (self: string) =>
  ({
    on: { SLOT_CHOSEN: { description: 'D-04', guard: 'slotLiesAhead', target: 'confirmed', actions: 'takeSlot' } },
    after: {
      slotReminder1: { description: 'D-05', actions: notice('choose_slot_first_reminder') },
      slotReminder2: { description: 'D-05', actions: notice('choose_slot_second_reminder') },
      slotAbandoned: [
        { description: 'D-05', guard: 'isAtHub', target: 'closed', actions: raise({ type: 'ABANDONED' }) },
        // The envelope is not even here: the week begins again.
        { target: self, reenter: true, actions: task('envelope_overdue') },
      ],
    },
  }) as const;

export const appointment = delivering.createStateConfig({
  initial: 'none',
  states: {
    none: { on: { SLOTS_PROPOSED: 'proposed' } },
    proposed: { entry: notice('choose_slot'), ...choosing('proposed') },
    confirmed: {
      entry: [...tell('AppointmentConfirmed', ({ slot }) => ({ ...slot }))],
      on: {
        RESCHEDULE: {
          description: 'D-06',
          guard: and(['isBeforePickup', 'mayReschedule']),
          target: 'rescheduling',
          actions: [
            'countReschedule',
            'dropSlot',
            'countPublication',
            {
              type: 'tellOrdering',
              params: ({ context, event }) => publication(context, 'DeliveryRescheduled', { by: event.role }),
            },
            raise({ type: 'SLOT_RELEASED' }),
          ],
        },
        SLOT_MISSED: 'missed',
      },
      after: {
        dayBefore: { description: 'D-04', guard: 'slotIsADayOff', actions: notice('slot_tomorrow') },
        hoursBefore: { description: 'D-04', actions: notice('slot_today') },
      },
    },
    rescheduling: {
      entry: notice('choose_slot_again', ({ attempt, reschedules }) => attempt * 10 + reschedules),
      ...choosing('rescheduling'),
    },
    missed: { always: 'rescheduling' },
    kept: { type: 'final' },
    closed: { type: 'final' },
  },
  on: { HANDED_OVER: '.kept', APPOINTMENT_OVER: '.closed', TRANSPORT_ENDED: '.closed' },
});
