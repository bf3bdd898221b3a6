// Named crash points between read and acknowledgement. Free in production: unless one is armed, `crashPoint` is an empty
// function that the engine inlines away.
//
// Armed by EMBOSS_CRASH_POINT=`name:act[:skip]`, where act is `kill` (SIGKILL), `stop` (SIGSTOP: a freeze) or `exit`, and
// skip is how many passes go by first. In a test process `armCrashPoint` sets a function instead.

export const crashPoints = [
  'after-read', // Entries delivered to us, nothing stepped.
  'after-step', // Stepped in memory, nothing sent.
  'before-commit', // The call is built; the next thing is the socket.
  'after-commit', // Committed and acknowledged; effects, relay and answers not started.
  'before-begin', // An effect is chosen; its attempt is not written.
  'before-effect', // The attempt is written; the partner is not called.
  'after-effect', // The partner answered; the outcome is not recorded.
  'after-finish', // The outcome is in the inbox.
  'before-relay', // Outbox records read, not sent.
  'after-relay', // Received by the target, not noted as delivered.
  'after-claim', // The token is ours; nothing read.
  'before-advance', // The namespace has travelled; the shard has not.
  'after-advance', // The timers of the shard have come nearer; no step counts with the new time.
] as const;

export type CrashPoint = (typeof crashPoints)[number];

type Act = (point: CrashPoint) => void;

let act: Act | undefined = fromEnvironment(process.env['EMBOSS_CRASH_POINT']);

/** Passes a named point. Does nothing unless it is armed. */
export function crashPoint(point: CrashPoint): void {
  if (act !== undefined) act(point);
}

/** For tests in this process: `undefined` disarms. */
export function armCrashPoint(next: Act | undefined): void {
  act = next;
}

function fromEnvironment(text: string | undefined): Act | undefined {
  if (text === undefined || text === '') return undefined;
  const [name, how = 'kill', skip = '0'] = text.split(':');
  if (!crashPoints.includes(name as CrashPoint)) {
    throw new TypeError(`EMBOSS_CRASH_POINT names ${name}; known are ${crashPoints.join(', ')}`);
  }
  let left = Number(skip);
  return (point) => {
    if (point !== name || left < 0 || left-- > 0) return; // Once: a thawed process goes on.
    if (how === 'exit') process.exit(1);
    process.kill(process.pid, how === 'stop' ? 'SIGSTOP' : 'SIGKILL');
  };
}
