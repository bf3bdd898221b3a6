// The public face of an order, out of what its chart announces and answers: one status for the customer (domain, 4.3).

import type { ActorView } from '../../runtime/client.ts';
import type { Applied } from '../commands.ts';
import type { JsonObject } from '../parts.ts';
import type { Face } from './order.ts';

/** Of an order that has announced nothing yet: it exists, and that is all there is to say. */
const unborn: Face = { status: 'draft', statusGroup: 'in_progress', allowedActions: [] };

/** The face in an announcement or an answer of the ordering context (actors/ordering). */
export function faceOf(data: JsonObject | undefined): Face {
  if (data === undefined || typeof data.status !== 'string') return unborn;
  const { status, statusGroup, reason, changedAt, allowedActions, card, triesLeft } = data;
  return {
    status,
    statusGroup: typeof statusGroup === 'string' ? statusGroup : 'in_progress',
    ...(typeof reason === 'string' ? { statusReason: reason } : {}),
    ...(typeof changedAt === 'number' ? { statusChangedAt: changedAt } : {}),
    allowedActions: Array.isArray(allowedActions) ? allowedActions.filter((each) => typeof each === 'string') : [],
    ...(typeof card === 'string' ? { cardState: card } : {}),
    ...(typeof triesLeft === 'number' ? { triesLeft } : {}),
  };
}

export const faceOfView = (view: ActorView): Face => faceOf(view.announcement?.data);

/** Of the answer to a write: its data are what the chart's host says after that step. */
export const faceOfAnswer = (answer: Applied): Face =>
  faceOf(
    answer.data !== null && typeof answer.data === 'object' && !Array.isArray(answer.data)
      ? (answer.data as JsonObject)
      : undefined,
  );
