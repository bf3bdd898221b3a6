// Approved: the card record is made at the issuer, and the order gets ready for its batch.
//
// Getting ready has five sides, which go on side by side: the customer's edit window, a plastic of the design from stock, an
// address that is still good after an edit, the fee, and the place in the batch. When all are there it joins; an edit takes
// it out again, up to the cut-off (O-14).

import { feeInput, ordering, placeInput } from './order-setup.ts';
import {
  because,
  joinBatch,
  leaveBatch,
  milestone,
  needs,
  notice,
  raise,
  releasePlastic,
  reservePlastic,
  stage,
  stoppable,
  task,
  tellBatch,
} from './phrases.ts';

/** The customer may change his mind for a while; an order that was batched before had its time. */
const window = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'wasBatched', target: 'over' }, { target: 'open' }] },
    open: { on: { EDIT_WAIVED: 'over' }, after: { editWindow: 'over' } },
    over: {},
  },
});

const plastic = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: {
      always: [
        { guard: 'hasPlastic', target: 'reserved' },
        { guard: 'hasOtherPlastic', target: 'asking', actions: [...releasePlastic] },
        { target: 'asking' },
      ],
    },
    asking: {
      entry: [...reservePlastic],
      on: {
        PLASTIC_RESERVED: {
          description: 'O-12',
          guard: 'isThisPlastic',
          target: 'reserved',
          actions: 'holdPlastic',
        },
        STOCK_OUT: { description: 'O-15', guard: 'isThisPlastic', target: 'out', actions: 'forgetPlastic' },
      },
    },
    /** Another design, or a delivery of plastic: it is asked for again from time to time. */
    out: {
      ...needs('stock_out', because('stock_out'), notice('design_wanted'), raise({ type: 'AT_RISK' })),
      on: { RETRY: { guard: 'notHeld', target: 'asking', actions: because(null) } },
      after: { stockAgain: { target: 'asking', actions: because(null) } },
    },
    reserved: {},
  },
  on: {
    EDIT: {
      description: 'O-14',
      guard: 'changesDesign',
      target: '.asking',
      actions: [...releasePlastic],
    },
  },
});

const wanted = [notice('address_wanted', ({ edits }) => edits)] as const;
const address = ordering.createStateConfig({
  initial: 'valid',
  states: {
    valid: {},
    validating: {
      invoke: {
        id: 'address.validate',
        src: 'address.validate',
        input: placeInput,
        onDone: [
          { guard: { type: 'screenedAs', params: { result: 'likely_undeliverable' } }, target: 'needsCorrection' },
          { guard: 'isOutOfZone', target: 'outOfZone' },
          { target: 'valid' },
        ],
        onError: 'valid', // As `indeterminate`: the courier finds out.
      },
    },
    /** Another edit puts it right. */
    needsCorrection: {
      entry: [because('address_undeliverable'), ...wanted],
      on: { ADDRESS_OVERRIDDEN: { target: 'valid', actions: because(null) } },
      after: { customerSilent: { target: '#order.fulfilment.cancelling', actions: because('no_answer') } },
    },
    outOfZone: {
      entry: [because('out_of_zone'), ...wanted],
      after: { customerSilent: { target: '#order.fulfilment.cancelling', actions: because('no_answer') } },
    },
  },
  on: { EDIT: { description: 'O-14', guard: 'changesPlace', target: '.validating' } },
});

/** Taken once. What cannot be taken is the finance desk's, and holds up nobody's card. */
const fee = ordering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: {
      always: [
        { guard: 'feeIsAsked', target: 'charged' },
        { guard: 'takesFee', target: 'charging' },
        { target: 'notRequired' },
      ],
    },
    charging: {
      entry: { type: 'noteAsked', params: { fee: true } },
      invoke: {
        id: 'fee.charge',
        src: 'fee.charge',
        input: feeInput,
        onDone: 'charged',
        onError: { target: 'owed', actions: task('fee_unsettled') },
      },
    },
    notRequired: {},
    charged: {},
    owed: {},
  },
});

const batch = ordering.createStateConfig({
  initial: 'apart',
  states: {
    apart: {
      always: { guard: 'isReadyForBatch', target: 'joined' },
      on: { EDIT: { description: 'O-14', guard: 'mayEdit', actions: 'noteEdit' } },
    },
    joined: {
      entry: joinBatch,
      on: {
        ...stoppable(leaveBatch),
        EDIT: { description: 'O-14', guard: 'mayEdit', target: 'apart', actions: ['noteEdit', leaveBatch] },
        BATCH_CLOSED: [
          { description: 'O-16', guard: 'notHeld', target: '#order.fulfilment.production', actions: 'takeBatch' },
          { target: 'apart', actions: tellBatch('held') }, // Held at the cut-off: this batch goes without it.
        ],
      },
    },
  },
});

export const approved = ordering.createStateConfig({
  initial: 'creatingCard',
  entry: [...stage('approved'), 'promise'],
  states: {
    creatingCard: {
      entry: [milestone('approved'), notice('approved')],
      invoke: {
        id: 'card.create',
        src: 'card.create',
        input: ({ context: { orderId, personRef, productCode, paymentSystem, designId, currency, reissueOf } }) => ({
          orderId,
          personRef,
          productCode,
          paymentSystem,
          designId,
          currency,
          ...(reissueOf === undefined ? {} : { reissueOf }),
        }),
        onDone: {
          description: 'O-12',
          target: 'awaitingBatch',
          actions: [{ type: 'noteCard', params: ({ event }) => event.output }, raise({ type: 'CARD_CREATED' })],
        },
        onError: { description: 'O-13', target: 'cardRefused', actions: because('card_record_refused') },
      },
    },
    /** An operator has four hours to put it right; then the order is given up. */
    cardRefused: {
      ...needs('card_record_refused'),
      on: { RETRY: { guard: 'notHeld', target: 'creatingCard', actions: because(null) } },
      after: {
        cardRecordOverdue: { description: 'O-13', target: '#order.fulfilment.cancelling', actions: 'endAsFailed' },
      },
    },
    /** The edit comes last among the regions: what it changes, the others have looked at before. */
    awaitingBatch: { type: 'parallel', states: { window, plastic, address, fee, batch } },
  },
  on: stoppable(),
});
