// A supervised process ends with its supervisor, also when that one is killed with SIGKILL: the supervisor holds the
// other end of our stdin and never writes, so the end of that stream means that nobody looks after us any more.

const GRACE_MS = 20_000;

/** Watches stdin; at its end asks this process to stop, and ends it after 20 s if it does not. */
export function followParent(say) {
  process.stdin.on('error', () => {});
  process.stdin.once('close', () => {
    say('the supervisor is gone: stopping');
    setTimeout(() => process.exit(1), GRACE_MS).unref();
    process.kill(process.pid, 'SIGTERM');
  });
  process.stdin.resume();
  process.stdin.unref?.(); // The watch alone does not keep a finished program alive.
}
