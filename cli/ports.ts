// Ports for the listeners: the configured ones where they are free, others where they are not.

import { createServer } from 'node:net';
import type { Ports } from '../actors/contract/settings.ts';
import { freePort } from '../runtime/testing/redis-server.ts';
import { CliFailure } from './failure.ts';

/** The setting that holds each port. */
export const PORT_SETTINGS: { readonly [surface in keyof Ports]: string } = {
  public: 'EMBOSS_PUBLIC_PORT',
  internal: 'EMBOSS_INTERNAL_PORT',
  courier: 'EMBOSS_COURIER_PORT',
  partner: 'EMBOSS_PARTNER_PORT',
  simulator: 'EMBOSS_SIMULATOR_PORT',
};

export const SURFACES = Object.keys(PORT_SETTINGS) as readonly (keyof Ports)[]; // The keys are those of Ports by its type.

/** True when `port` can be bound on `host` at this moment. */
export function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Free ports for one process, all different. */
export async function freePorts(): Promise<Ports> {
  const found = new Set<number>();
  while (found.size < SURFACES.length) found.add(await freePort());
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = found;
  return { public: a, internal: b, courier: c, partner: d, simulator: e };
}

export interface PortWish {
  readonly ports: Ports;
  readonly host: string;
  /** True for a port somebody set on purpose: it is refused when taken, since others will look for it there. */
  readonly isChosen: (surface: keyof Ports) => boolean;
  readonly say: (line: string) => void;
}

/** The wished ports; a default one that is taken is replaced by a free one, and said. */
export async function choosePorts({ ports, host, isChosen, say }: PortWish): Promise<Ports> {
  const spare = await freePorts();
  const chosen = { ...ports };
  for (const surface of SURFACES) {
    if (await isFree(ports[surface], host)) continue;
    if (isChosen(surface)) {
      throw new CliFailure(
        `${PORT_SETTINGS[surface]}=${ports[surface]} is taken by another program. Free it, or set another port.`,
      );
    }
    say(`port ${ports[surface]} is taken; the ${surface} listener uses ${spare[surface]}`);
    chosen[surface] = spare[surface];
  }
  return chosen;
}
