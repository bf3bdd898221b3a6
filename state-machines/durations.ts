// Lengths of time in domain milliseconds. A host may play them faster; a chart never asks what time it is.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Running time in which `n` business days pass on average: five of seven days are worked. */
export const businessDays = (n: number): number => Math.round((n * 7 * DAY) / 5);
