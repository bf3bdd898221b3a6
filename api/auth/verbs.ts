// Verbs: which role may say what to an actor from a desk (domain, 5.10). Pure; the chart still decides whether it fits.
//
// Proofs of a handover, verdicts of reviewers and answers of other actors are given where they arise, by nobody else.

import type { Role } from '../../actors/contract/dto.ts';
import type { Desk } from '../../state-machines/tasks.ts';

const reserved = new Set([
  'OTP_CHECKED',
  'ID_SCANNED',
  'SIGNATURE_CAPTURED',
  'REVIEW_APPROVED',
  'REVIEW_REJECTED',
  'COLLECT',
  'SLOT_TAKEN',
  'SLOT_FULL',
  'BOARDED',
  'RUN_FULL',
  'KEY_GRANTED',
  'KEY_REFUSED',
  'PLASTIC_RESERVED',
  'STOCK_OUT',
  'REPLACEMENT_ACTIVATED',
  'REPLACEMENT_ENDED',
  'ORIGINAL_ACTIVATED',
  'SUBJECT_ERASURE',
  'ACTIVATE',
]);

/** Decisions about a person's identity or about a list of sanctions: the reviewers' alone. */
const reviewers = new Set(['AML_CLEARED', 'AML_CONFIRMED']);
/** A reviewer may also take an order to himself, and stop it; whether it may go on again, `mayRelease` says. */
const reviewersToo = new Set(['REVIEW_REQUIRED', 'HOLD', 'RELEASE']);

/** Roles that may give the event to an actor of that prefix; none at all for a reserved one. */
export function rolesFor(prefix: string, type: string): readonly Role[] {
  if (reserved.has(type)) return [];
  if (prefix === 'dlv' || prefix === 'run' || prefix === 'slt') return ['operator', 'dispatcher', 'admin'];
  if (reviewers.has(type)) return ['reviewer'];
  return reviewersToo.has(type) ? ['operator', 'reviewer', 'admin'] : ['operator', 'admin'];
}

/** Everybody who may give any event. */
export const commanders: readonly Role[] = ['operator', 'reviewer', 'dispatcher', 'admin'];

const releases: { readonly [kind: string]: readonly Role[] } = {
  fraud: ['reviewer', 'admin'],
  aml: ['reviewer', 'admin'],
  legal: ['admin'],
};

/** Placing a hold is careful, so every desk may; lifting one belongs to whose matter it is. */
export const mayRelease = (role: Role, kind: string): boolean =>
  (releases[kind] ?? ['operator', 'admin']).includes(role);

/** The kind of hold an order is under, from its states; undefined when it is under none. */
export function holdOf(states: readonly string[]): string | undefined {
  const held = states.find((state) => state.startsWith('hold.held.'));
  return held?.slice('hold.held.'.length);
}

/** What changes an application: who said one of these does not approve it afterwards. */
export const edits: ReadonlySet<string> = new Set([
  'EDIT',
  'CORRECTED',
  'ADDRESS_CORRECTED',
  'ADDRESS_OVERRIDDEN',
  'CHANGE_METHOD',
  'CHANGE_ADDRESS',
]);

const deskRoles: { readonly [desk in Desk]: readonly Role[] } = {
  operations: ['operator', 'admin'],
  review: ['reviewer', 'admin'],
  production: ['operator', 'admin'],
  dispatch: ['dispatcher', 'operator', 'admin'],
  vault: ['operator', 'dispatcher', 'admin'],
  finance: ['operator', 'admin'],
  fraud: ['reviewer', 'operator', 'admin'],
};

/** Roles that sit at a desk: theirs are its tasks. A desk of a newer version is the administrators'. */
export const rolesAt = (desk: string): readonly Role[] =>
  Object.hasOwn(deskRoles, desk) ? deskRoles[desk as Desk] : ['admin'];
