// Handover: at the door, the proofs the product asks for, side by side. All of them, or the envelope stays with us.

import { delivering, failed, task } from './delivery-setup.ts';

const idCheck = delivering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'needsIdCheck', target: 'pending' }, { target: 'notRequired' }] },
    pending: {
      on: {
        ID_SCANNED: { description: 'D-16', guard: 'isCourier', target: 'passed' },
        ID_MISMATCH: { description: 'D-17', guard: 'isCourier', ...failed('id_mismatch') },
        ID_EXPIRED: { guard: 'isCourier', ...failed('id_expired') },
      },
    },
    notRequired: { type: 'final' },
    passed: { type: 'final' },
  },
});

/** The code itself is nowhere here: who knows delivery and attempt computes it, and says only whether it was right. */
const otp = delivering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'needsOtp', target: 'sent' }, { target: 'notRequired' }] },
    sent: {
      entry: 'countOtpSend',
      invoke: {
        id: 'otp.send',
        src: 'otp.send',
        input: ({ context: { deliveryId, attempt, otpSends, personRef, locale } }) => ({
          deliveryId,
          attempt,
          n: otpSends,
          personRef,
          locale,
        }),
        onError: { actions: task('code_not_sent') }, // The courier calls support, or asks for another one.
      },
      on: {
        OTP_CHECKED: [
          { description: 'D-18', guard: 'isRightCode', target: 'verified' },
          { description: 'D-19', guard: 'isLastWrongCode', ...failed('otp_locked') },
          { description: 'D-18', guard: 'isWrongCode', actions: 'countOtpTry' },
        ],
        OTP_RESEND: { guard: 'maySendAgain', target: 'sent', reenter: true },
      },
    },
    notRequired: { type: 'final' },
    verified: { type: 'final' },
  },
});

const signature = delivering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'needsSignature', target: 'pending' }, { target: 'notRequired' }] },
    pending: {
      on: {
        SIGNATURE_CAPTURED: { guard: 'isCourier', target: 'captured' },
        SIGNATURE_REFUSED: { description: 'D-21', guard: 'isCourier', ...failed('refused') },
      },
    },
    notRequired: { type: 'final' },
    captured: { type: 'final' },
  },
});

const photo = delivering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'needsPhoto', target: 'pending' }, { target: 'notRequired' }] },
    pending: { on: { PHOTO_CAPTURED: { guard: 'isCourier', target: 'captured' } } },
    notRequired: { type: 'final' },
    captured: { type: 'final' },
  },
});

export const proofs = { idCheck, otp, signature, photo };
