// The partners' process: every simulated partner behind one port, with a book of its own on disk.

import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { systemClock } from '../../../runtime/clock.ts';
import { environmentOf, loadSettings } from '../../contract/settings.ts';
import { calm, changed, type Faults } from './faults.ts';
import { startSimulator } from './server.ts';

const settings = loadSettings();
const log = pino({ level: settings.logLevel, base: { process: 'partners', pid: process.pid } });

/** Faults to begin with: EMBOSS_FAULTS, a JSON object as PUT /control/faults takes it. */
function firstFaults(text: string | undefined): Faults {
  if (text === undefined || text === '') return calm;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('EMBOSS_FAULTS is not JSON');
  }
  const faults = changed(calm, value);
  if ('wrong' in faults) throw new Error(`EMBOSS_FAULTS cannot be used: ${faults.wrong.join('; ')}`);
  return faults;
}

try {
  const simulator = await startSimulator({
    clock: systemClock,
    folder: join(settings.dataDir, 'partners'),
    host: settings.host,
    port: settings.ports.simulator,
    callbackUrl: settings.callbackUrl,
    secret: settings.partnerSecret,
    timeScale: settings.timeScale,
    faults: firstFaults(environmentOf(process.cwd()).EMBOSS_FAULTS),
    log: ({ level, ...line }) => (level === 'error' ? log.error(line) : log.warn(line)),
  });
  for (const notice of settings.notices) log.warn(notice);
  log.info({ url: simulator.url, callbacks: settings.callbackUrl, timeScale: settings.timeScale }, 'partners listen');
  closeWithGrace({ delay: 5_000, logger: false }, () => simulator.close());
} catch (error) {
  log.fatal({ error: error instanceof Error ? error.message : String(error) }, 'partners cannot start');
  process.exitCode = 1;
}
