// Failures a user can act on: words without a stack trace, and a stable exit code.

/** Exit codes of `emboss`. Others: 0 done, 128 + n ended by a signal. */
export const EXIT = {
  failed: 1,
  usage: 2,
  /** No Redis, or no running system, where one is needed (sysexits: service unavailable). */
  unavailable: 69,
  /** Settings that cannot be used (sysexits: configuration). */
  settings: 78,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const;

/** Ends the command with these words on stderr and this exit code. The words say what to do next. */
export class CliFailure extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.name = 'CliFailure';
    this.exitCode = exitCode;
  }
}
