// Handover: at the door, the proofs the product asks for, side by side. All of them, or the envelope stays with us.

import { delivering } from './delivery-setup.ts';
import { code, done, failed, opened } from './phrases.ts';

const idCheck = delivering.createStateConfig({
  initial: 'deciding',
  states: {
    deciding: { always: [{ guard: 'needsIdCheck', target: 'pending' }, { target: 'notRequired' }] },
    pending: {
      on: {
        ID_SCANNED: { description: 'D-16', guard: 'isCourier', target: 'passed' },
        ID_MISMATCH: { description: 'D-17', guard: 'isCourier', ...failed('id_mismatch') },
        ID_EXPIRED: { description: 'D-16', guard: 'isCourier', ...failed('id_expired') },
      },
    },
    notRequired: { type: 'final' },
    passed: { type: 'final' },
  },
});

const checked = [
  { description: 'D-18', guard: 'isRightCode', target: 'verified' },
  { description: 'D-19', guard: 'isLastWrongCode', ...failed('otp_locked') },
  { description: 'D-18', guard: 'isWrongCode', actions: 'countOtpTry' },
] as const;
const sentAgain = {
  OTP_RESEND: { description: 'D-18', guard: 'maySendAgain', target: 'sent', reenter: true, actions: 'noteTime' },
} as const;

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
        input: code,
        onError: [
          // By text message, by voice, by e-mail (4.5); after the last one the courier calls support.
          { description: 'D-18', guard: 'hasOtherChannel', target: 'sent', reenter: true, actions: 'countOtpFailure' },
          { description: 'D-18', target: 'unsent', actions: 'countOtpFailure' },
        ],
      },
      on: { OTP_CHECKED: checked, ...sentAgain },
      after: { codeExpires: { description: 'D-19', target: 'expired' } },
    },
    /** One that was taken for lost may have come all the same. */
    unsent: {
      entry: opened('code_not_sent'),
      exit: done('code_not_sent'),
      on: { OTP_CHECKED: checked, ...sentAgain },
      after: { codeExpires: { description: 'D-19', target: 'expired' } },
    },
    /** Too late for it. Sent again, the code is good for another hour. */
    expired: { on: sentAgain },
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
        SIGNATURE_CAPTURED: { description: 'D-20', guard: 'isCourier', target: 'captured' },
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
    pending: { on: { PHOTO_CAPTURED: { description: 'D-20', guard: 'isCourier', target: 'captured' } } },
    notRequired: { type: 'final' },
    captured: { type: 'final' },
  },
});

export const proofs = { idCheck, otp, signature, photo };
