// Why an actor is parked, for people.

/** The error an actor is parked with, in a line. */
export function causeOf(cause: { readonly [field: string]: unknown }): string {
  const error = cause.error as { readonly name?: string; readonly message?: string } | undefined; // As the runtime stores it.
  const event = typeof cause.event === 'string' ? `${cause.event}: ` : '';
  return `${event}${error?.message ?? error?.name ?? 'unknown cause'}`;
}
