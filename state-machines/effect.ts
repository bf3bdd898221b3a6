// Names without deeds: what a chart asks of its host, typed here and carried out elsewhere.
//
// A chart invokes an effect where its answer matters to a state, and executes a named action where it does not. Whoever
// hosts the chart registers a handler for each name (actors/). Run live and unhosted, an effect fails with its name.

import { fromPromise, type NonReducibleUnknown, type PromiseActorLogic } from 'xstate';

/** An invoke source that takes `In` and ends with `Out`. */
export const effect = <In extends NonReducibleUnknown, Out>(name: string): PromiseActorLogic<Out, In> =>
  fromPromise<Out, In>(() => Promise.reject(new Error(`${name} has no handler here: host the chart`)));

/** A named action with params; the host turns it into an effect or a message. Alone it does nothing. */
export const told =
  <Params>() =>
  (_: unknown, _params: Params): void => {};
