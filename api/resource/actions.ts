// Actions: what a caller may do, in the words of the API. Only what has a route here is named.

const publicNames: { readonly [event: string]: string } = {
  SUBMIT: 'submit',
  DISCARD: 'discard',
  CANCEL: 'cancel',
  EDIT: 'edit',
  CHANGE_ADDRESS: 'change_address',
  ADDRESS_CORRECTED: 'change_address',
  CHANGE_METHOD: 'change_method',
  RESCHEDULE: 'reschedule',
  EXTEND_STORAGE: 'extend_storage',
  RETRY_DELIVERY: 'retry_delivery',
  REDELIVER: 'redeliver',
  REPORT: 'report',
  REPLACE: 'replace',
  ACTIVATE: 'activate',
  SLOT_CHOSEN: 'choose_slot',
  DISPUTE: 'dispute_delivery',
};

const courierNames: { readonly [event: string]: string } = {
  SCANNED: 'scan',
  OUT_FOR_DELIVERY: 'depart',
  ARRIVED: 'arrive',
  START_HANDOVER: 'start_handover',
  ID_SCANNED: 'check_id',
  OTP_CHECKED: 'check_code',
  OTP_RESEND: 'resend_code',
  SIGNATURE_CAPTURED: 'capture_signature',
  PHOTO_CAPTURED: 'capture_photo',
  ATTEMPT_FAILED: 'report_failure',
  RECEIVED: 'receive_return',
  COLLECT: 'collect',
  REROUTE_ACCEPTED: 'answer_reroute',
  REROUTE_DECLINED: 'answer_reroute',
};

const named = (names: { readonly [event: string]: string }, allowed: readonly string[]): readonly string[] =>
  [...new Set(allowed.flatMap((event) => names[event] ?? []))].sort();

/** Names for the customer of what the chart allows. */
export const customerActions = (allowed: readonly string[]): readonly string[] => named(publicNames, allowed);
/** Names for the courier. */
export const courierActions = (allowed: readonly string[]): readonly string[] => named(courierNames, allowed);
