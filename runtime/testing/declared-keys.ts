// Listens to servers by MONITOR and says which functions touched a key that they had not declared, or declared keys of more than
// one slot. On one server both go unnoticed; on a cluster the one may go unnoticed, too, and the other is refused.

import { Redis } from 'ioredis';
import { slotOf } from '../redis/slot.ts';

export interface KeyWatch {
  /** Full names of the functions called so far. */
  readonly called: ReadonlySet<string>;
  /** What was found, in words; each finding once. */
  readonly findings: ReadonlySet<string>;
  /** Resolves when everything executed before has been heard. */
  caughtUp(): Promise<void>;
  end(): void;
}

export async function watchKeys(urls: readonly string[]): Promise<KeyWatch> {
  const called = new Set<string>();
  const findings = new Set<string>();
  const ears = await Promise.all(urls.map((url) => listen(url, called, findings)));
  return {
    called,
    findings,
    async caughtUp() {
      await Promise.all(ears.map((ear) => ear.caughtUp()));
    },
    end() {
      for (const ear of ears) ear.end();
    },
  };
}

interface Ear {
  caughtUp(): Promise<void>;
  end(): void;
}

async function listen(url: string, called: Set<string>, findings: Set<string>): Promise<Ear> {
  const redis = new Redis(url);
  const monitor = await redis.monitor();
  let declared: readonly string[] = [];
  let running = '';
  let marks = 0;
  monitor.on('error', () => undefined); // A trial may kill the server.
  monitor.on('monitor', (_: string, [name = '', ...args]: readonly string[], source: string) => {
    const command = name.toUpperCase();
    if (source !== 'lua') {
      if (!['FCALL', 'EVAL', 'EVALSHA'].includes(command)) return; // Locks are taken by scripts.
      const [now = '', count = '0'] = args;
      running = command === 'FCALL' ? now : 'a script';
      if (command === 'FCALL') called.add(now);
      declared = args.slice(2, 2 + Number(count));
      if (new Set(declared.map(slotOf)).size > 1) findings.add(`${running} declares keys of several slots`);
      return;
    }
    for (const key of touched(command, args)) {
      if (!declared.includes(key)) findings.add(`${running}: ${command} touches ${key}`);
    }
  });
  return {
    async caughtUp() {
      marks += 1;
      const mark = `mark ${marks}`;
      const heard = new Promise<void>((resolve) => {
        const look = (_: string, [, said]: readonly string[]): void => {
          if (said !== mark) return;
          monitor.off('monitor', look);
          resolve();
        };
        monitor.on('monitor', look);
      });
      await redis.echo(mark);
      await heard;
    },
    end() {
      monitor.disconnect();
      redis.disconnect();
    },
  };
}

/** Keys of a command, for those that functions use. */
function touched(command: string, args: readonly string[]): readonly string[] {
  if (command === 'TIME') return [];
  if (command === 'XGROUP' || command === 'XINFO') return args.slice(1, 2);
  if (command === 'XREADGROUP') return args.slice(args.indexOf('STREAMS') + 1).slice(0, 1);
  if (command === 'DEL' || command === 'UNLINK') return args;
  return args.slice(0, 1);
}
