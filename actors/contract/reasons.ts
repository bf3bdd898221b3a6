// Why somebody did something: closed lists of words, one for each route that takes a reason.
//
// A reason is journaled and kept for as long as the order: it names a cause, and has no room for a name, a phone number or
// a sentence. Words are added, never renamed or taken away: journals hold them, and replay reads journals.

/** A customer's, or an operator's in the customer's name, for a cancellation. */
export const cancellationReasons = ['changed_mind', 'duplicate', 'wrong_data', 'too_slow', 'other'] as const;
export type CancellationReason = (typeof cancellationReasons)[number];

/** A reviewer's, by verdict: a word that speaks for one does not speak for the other. */
export const reviewReasons = {
  approve: ['documents_genuine', 'identity_confirmed', 'data_confirmed', 'false_hit', 'risk_accepted', 'other'],
  reject: [
    'documents_not_genuine',
    'identity_not_confirmed',
    'data_inconsistent',
    'sanctions_hit',
    'fraud_suspected',
    'risk_too_high',
    'other',
  ],
} as const;

/** An operator's or reviewer's, by what is done about the hold. */
export const holdReasons = {
  hold: [
    'fraud_suspected',
    'aml_alert',
    'court_order',
    'authority_request',
    'customer_request',
    'data_check',
    'incident',
    'other',
  ],
  release: ['cleared', 'false_alarm', 'order_lifted', 'customer_confirmed', 'data_corrected', 'incident_over', 'other'],
} as const;

/** An operator's, for any event given from a desk. */
export const commandReasons = [
  'customer_request',
  'customer_unreachable',
  'partner_request',
  'partner_outage',
  'callback_lost',
  'data_corrected',
  'physical_check',
  'fraud_suspected',
  'compliance',
  'procedure',
  'incident',
  'test',
  'other',
] as const;
export type CommandReason = (typeof commandReasons)[number];

/** A person's, for a task that is over. */
export const taskReasons = [
  'mended',
  'mended_by_itself',
  'told_customer',
  'handed_on',
  'no_action_needed',
  'duplicate',
  'left_behind',
  'other',
] as const;
export type TaskReason = (typeof taskReasons)[number];

// --- Words of partners and couriers: what they send is theirs, so an unknown word becomes `other` and is not refused. ---

export const screeningReasons = [
  'document_forged',
  'document_blurred',
  'document_expired',
  'document_incomplete',
  'document_unsupported',
  'face_mismatch',
  'name_mismatch',
  'data_mismatch',
  'documents',
  'rejected',
  'other',
] as const;

export const bureauReasons = [
  'name_too_long',
  'name_not_embossable',
  'design_unavailable',
  'data_invalid',
  'out_of_stock',
  'embosser_jam',
  'chip_failure',
  'print_defect',
  'rejected',
  'spoiled',
  'other',
] as const;

/** What did not match; `courier` when the courier does not say. */
export const idMismatchReasons = ['name', 'birth_date', 'document_number', 'photo', 'missing', 'courier'] as const;

/** The word if it is on the list, else `other`. */
export const knownWord = <Word extends string>(list: readonly Word[], word: string): Word | 'other' =>
  list.find((each) => each === word) ?? 'other';
