// What the simulators of the test environment take (`/simulators/v1`): time, and what partners are made to say.

import { type Static, Type } from 'typebox';
import { closed, word } from './schema.ts';

/** A hundred years: more than any namespace may travel in all. */
const TRAVEL_MS_MAX = 36_525 * 86_400_000;

export const timeTravel = Type.Union([
  closed({ ms: Type.Integer({ minimum: 1, maximum: TRAVEL_MS_MAX }) }),
  closed({ until: Type.String({ format: 'date-time' }) }),
]);

const contextTime = closed({
  now: Type.String({ format: 'date-time' }),
  /** In all, since it was founded. */
  travelledMs: Type.Integer(),
  /** False: a shard without an owner is not there yet; it will be before its next step. */
  arrived: Type.Boolean(),
});
export const timeTravelled = closed({ ordering: contextTime, delivery: contextTime });
export type TimeTravelled = Static<typeof timeTravelled>;

export const shipmentAdvance = closed({ status: word, reason: Type.Optional(word) });
export const kycResult = closed({ outcome: word, reason: Type.Optional(word) });
export const bureauResult = closed({ outcome: word });

/** A day by its name, or single faults as the partner simulator takes them. */
export const simulatorProfile = Type.Union([
  closed({ name: word }),
  closed({ faults: Type.Record(Type.String({ maxLength: 100 }), Type.Unknown()) }),
]);
