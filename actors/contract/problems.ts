// The problem catalogue: every error an API surface may answer with (RFC 9457), by slug. Published; slugs and codes
// are never reused. `api/errors.ts` is the only map from errors to these; the typed client reads them back.

export interface ProblemKind {
  readonly code: `P-${number}`;
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
}

const kind = (code: ProblemKind['code'], status: number, title: string, retryable = false): ProblemKind => ({
  code,
  status,
  title,
  retryable,
});

export const problemKinds = {
  'malformed-json': kind('P-01', 400, 'The body is not valid JSON.'),
  'validation-failed': kind('P-02', 400, 'The request does not match its schema.'),
  'unknown-field': kind('P-03', 400, 'The request has a field that is not known here.'),
  'sensitive-field-forbidden': kind('P-03', 400, 'Card numbers, verification codes and PINs are never accepted.'),
  'idempotency-key-missing': kind('P-04', 400, 'This request needs an Idempotency-Key of 1 to 64 characters.'),
  'idempotency-key-reused': kind('P-05', 422, 'The Idempotency-Key was used before with another body.'),
  'idempotency-in-progress': kind('P-06', 409, 'The first request under this Idempotency-Key is still running.', true),
  'duplicate-order': kind('P-07', 409, 'There is an unfinished order for this product already.'),
  'not-eligible': kind('P-08', 422, 'The applicant is not eligible for this product.'),
  'out-of-zone': kind('P-09', 422, 'The address lies outside of the delivery zones of this method.'),
  'address-undeliverable': kind('P-10', 422, 'The address cannot be delivered to.'),
  'transition-not-allowed': kind('P-11', 409, 'The present state does not allow this.'),
  'already-handed-over': kind('P-12', 409, 'The card was handed over already.'),
  'slot-taken': kind('P-13', 409, 'The delivery window cannot be booked any more.'),
  'replacement-open': kind('P-14', 409, 'There is an open replacement already.'),
  'order-on-hold': kind('P-15', 409, 'The order is on hold.', true),
  'document-rejected': kind('P-16', 422, 'The document was not accepted.'),
  'otp-invalid': kind('P-17', 422, 'The code or proof is not right.'),
  'id-mismatch': kind('P-18', 422, 'The identity document does not match.'),
  'name-not-embossable': kind('P-19', 422, 'The name cannot be embossed.'),
  unauthenticated: kind('P-20', 401, 'A valid bearer token is needed.'),
  forbidden: kind('P-21', 403, 'The role of the token does not allow this.'),
  'step-up-required': kind('P-22', 403, 'A stronger proof of identity is needed.'),
  'not-found': kind('P-23', 404, 'There is nothing here for you.'),
  'method-not-allowed': kind('P-24', 405, 'The resource does not know this method.'),
  'not-acceptable': kind('P-25', 406, 'The resource has no such representation.'),
  'unsupported-media-type': kind('P-26', 415, 'Only application/json is accepted.'),
  'request-timeout': kind('P-27', 408, 'The request took too long to arrive.', true),
  'archived-or-erased': kind('P-28', 410, 'The resource was archived or erased.'),
  'version-mismatch': kind('P-29', 412, 'The resource has another version.'),
  'payload-too-large': kind('P-30', 413, 'The body is larger than 64 KB.'),
  'otp-locked': kind('P-31', 423, 'Too many wrong codes or proofs: it is locked.'),
  'precondition-required': kind('P-32', 428, 'This request needs If-Match.'),
  'rate-limited': kind('P-33', 429, 'Too many requests are waiting.', true),
  internal: kind('P-34', 500, 'Something broke on our side.', true),
  'dependency-failed': kind('P-35', 502, 'A system behind this one failed.', true),
  overloaded: kind('P-36', 503, 'The service takes no requests at this moment.', true),
  'store-unavailable': kind('P-36', 503, 'The store behind the service cannot be reached.', true),
  'version-lost': kind('P-37', 412, 'The version asked for as a floor does not exist.'),
  'outcome-unknown': kind('P-38', 503, 'It is not known yet whether the request was carried out.', true),
} as const satisfies Record<string, ProblemKind>;

export type ProblemSlug = keyof typeof problemKinds;

export interface FieldError {
  /** RFC 6901 pointer into the body, or `header:`, `query:`, `path:` with the parameter's name. */
  readonly pointer: string;
  readonly code: string;
  /** The words that the field takes, where it takes one of a few. */
  readonly allowed?: readonly string[];
}

/** The body of `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly requestId: string;
  readonly retryable: boolean;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly allowedActions?: readonly string[];
  /** `unknown`: it may have happened; repeat under the same key. */
  readonly outcome?: 'unknown';
  readonly retryAfterMs?: number;
  readonly version?: number;
  readonly triesLeft?: number;
  readonly links?: { readonly [relation: string]: string };
}

/** The slug of a `type` member, or undefined for a type of somebody else. */
export function problemSlug(type: string): ProblemSlug | undefined {
  const slug = type.slice(type.lastIndexOf('/') + 1);
  return Object.hasOwn(problemKinds, slug) ? (slug as ProblemSlug) : undefined;
}
