// Ids that follow from other ids. Pure functions, so that a retry, a second worker and an auditor get the same ones.
//
// Order ids come from the runtime (`client.derive`, M6) and cannot be guessed; everything derived here inherits that.

/** The two contexts are two namespaces of the runtime. */
export const ORDERING = 'ord';
export const DELIVERY = 'dlv';

/** The one open batch is an actor of its own; there is one batch line per bureau, and one bureau. */
export const BATCH_LINE = 'bat_main';

const tail = (id: string): string => id.slice(id.indexOf('_') + 1);

/** The delivery actor of an order. `seq` counts from 1; a redelivery is another delivery of the same order. */
export const deliveryIdOf = (orderId: string, seq: number): string => `dlv_${tail(orderId)}_${seq}`;

/** The bureau's job for an order. `job` counts from 1; a respin or a corrected order is another job. */
export const jobIdOf = (orderId: string, job: number): string => `job_${tail(orderId)}_${job}`;

/** The actor that guards "one unfinished order per person and product". */
export const applicantIdOf = (userId: string): string =>
  userId.startsWith('usr_') ? `apl_${tail(userId)}` : `apl_.${userId}`;

/** A batch once it is closed. `number` counts from 1 per line. */
export const closedBatchIdOf = (line: string, number: number): string => `${line}_${number}`;

/** The actor that counts the plastic of a design. */
export const stockIdOf = (designId: string): string => `stk_${designId}`;

/** The actor that blocks the card of a stolen envelope, besides the order itself. */
export const cardGuardIdOf = (orderId: string): string => `grd_${tail(orderId)}`;

/** The one sweep between the contexts. */
export const SWEEP = 'swp_main';

/** The order that a derived delivery or job id belongs to. */
export const orderIdOf = (derivedId: string): string => `ord_${tail(derivedId).replace(/_[0-9]+$/, '')}`;

/** Who closes a card when its envelope is stolen, whatever its order does (4.6). Lives in the ordering context. */
export const guardIdOf = (orderId: string): string => `grd_${tail(orderId)}`;
