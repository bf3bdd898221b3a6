// Whether a process stands still by a signal, as the kernel tells it. Linux.

import { readFileSync } from 'node:fs';

/** True while the process is stopped (SIGSTOP); false when it runs, is gone, or the system has no /proc. */
export function isStopped(pid: number): boolean {
  try {
    return / T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/, ''));
  } catch {
    return false;
  }
}
