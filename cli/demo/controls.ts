// The partners' controls: the demo sets how often they say no and how badly the line behaves, and puts it back afterwards.

import { CliFailure, EXIT } from '../failure.ts';

export interface LineFaults {
  /** Share of replies that are lost after the act. */
  readonly lose: number;
  /** Share of callbacks that come twice. */
  readonly duplicate: number;
}

type Controls = { readonly [field: string]: unknown };

const CALL_MS_MAX = 5_000;

/** Changes the partners' faults; the returned function restores what was there. Throws CliFailure when nobody answers. */
export async function setControls(simulatorUrl: string, change: Controls): Promise<() => Promise<void>> {
  const before = await call(simulatorUrl, 'GET');
  await call(simulatorUrl, 'PUT', change);
  const restored = Object.fromEntries(Object.keys(change).map((field) => [field, before[field]]));
  return async () => void (await call(simulatorUrl, 'PUT', restored));
}

async function call(simulatorUrl: string, method: 'GET' | 'PUT', body?: Controls): Promise<Controls> {
  let response: Response;
  try {
    response = await fetch(`${simulatorUrl}/control/faults`, {
      method,
      signal: AbortSignal.timeout(CALL_MS_MAX),
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new CliFailure(`The partner simulators at ${simulatorUrl} do not answer: ${words}`, EXIT.unavailable);
  }
  if (!response.ok) throw new CliFailure(`The partners did not take the faults: ${await response.text()}`);
  return (await response.json()) as Controls; // JSON of the simulator's own form.
}
