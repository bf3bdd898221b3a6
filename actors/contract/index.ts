// The contract: everything that crosses a context, a surface or a partner. Schemas and types only.

export * from './booking.ts';
export * from './carriers.ts';
export * from './delivery.ts';
export * from './effects.ts';
export * from './ids.ts';
export * from './ordering.ts';
export * from './privacy.ts';
export * from './published.ts';
export * from './reasons.ts';
export * from './tasks.ts';
export * from './words.ts';
