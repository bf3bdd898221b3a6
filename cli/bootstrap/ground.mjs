// What all of the bootstrap stands on: the project's root, words on stderr, failures with an exit code, child processes.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the project. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Ends the bootstrap with these words for the user and this exit code; no stack trace. */
export class Failure extends Error {
  constructor(message, code = 1) {
    super(message);
    this.code = code;
  }
}

/** One line of progress, on stderr. */
export function say(line) {
  process.stderr.write(`emboss: ${line}\n`);
}

/** Runs a program of node_modules under this Node. Resolves to its exit code; a signal becomes 128 + its number. */
export function runTool(file, args, options = {}) {
  return runChild(process.execPath, [join(root, file), ...args], options);
}

/**
 * Runs a child to its end, with our streams unless told otherwise, and passes SIGINT, SIGTERM and SIGHUP on to it.
 * @returns {Promise<number>} exit code, 128 + signal, or 127 when it cannot be started
 */
export function runChild(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const forward = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const end = (code) => {
      for (const signal of signals) process.off(signal, forward);
      done(code);
    };
    child.on('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      end(127);
    });
    child.on('close', (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
