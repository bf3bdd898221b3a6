// A temporary copy of the project: sources and build, with the packages linked. Faults are put in here, never in the project.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Mutant, patched } from './mutant.ts';

/** The project that this file was compiled in: build/runtime/testing/mutants/ lies four folders below it. */
export const projectRoot = fileURLToPath(new URL('../../../../', import.meta.url));

const NOT_COPIED = new Set(['node_modules', '.git', '.cache', '.data', '.tap', '.env']);
/** Where the tests of a copy keep what is temporary: a test that is ended by its first failure leaves it lying. */
export const TEMPORARY = 'tmp';

const COMPILER = 'node_modules/ts7/bin/tsc';
const COMPILE_MS_MAX = 60_000; // It takes 2 s on a quiet machine.

export class ProjectCopy {
  readonly root: string;

  /** About 10 MB and a quarter of a second. */
  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'emboss-mutants-'));
    cpSync(projectRoot, this.root, {
      recursive: true,
      filter: (source) => !NOT_COPIED.has(relative(projectRoot, source)),
    });
    mkdirSync(join(this.root, TEMPORARY));
    symlinkSync(join(projectRoot, 'node_modules'), join(this.root, 'node_modules'));
  }

  /** Puts the fault in, and compiles where it is in TypeScript. Throws PatchLost, or what the compiler said. */
  put(mutant: Mutant): void {
    const { file } = mutant;
    writeFileSync(join(this.root, file), patched(mutant, readFileSync(join(projectRoot, file), 'utf8')));
    if (file.endsWith('.ts')) this.#compile(mutant.name);
    else copyFileSync(join(this.root, file), join(this.root, 'build', file));
  }

  /** Puts several in, those of one file one after the other. Throws as `put` does. */
  putAll(mutants: readonly Mutant[]): void {
    const texts = new Map<string, string>();
    for (const mutant of mutants) {
      const { file } = mutant;
      texts.set(file, patched(mutant, texts.get(file) ?? readFileSync(join(projectRoot, file), 'utf8')));
    }
    for (const [file, text] of texts) {
      writeFileSync(join(this.root, file), text);
      if (!file.endsWith('.ts')) copyFileSync(join(this.root, file), join(this.root, 'build', file));
    }
    if ([...texts.keys()].some((file) => file.endsWith('.ts')))
      this.#compile(mutants.map(({ name }) => name).join(', '));
  }

  mendAll(mutants: readonly Mutant[]): void {
    for (const mutant of mutants) this.mend(mutant);
  }

  /** Takes the fault out again. */
  mend({ file }: Mutant): void {
    const built = `build/${file.replace(/\.ts$/, '.js')}`;
    for (const path of [file, built]) copyFileSync(join(projectRoot, path), join(this.root, path));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Types are not checked: a fault need not be well typed, and checking takes longer than most tests. */
  #compile(name: string): void {
    const args = [COMPILER, '-p', 'tsconfig.json', '--noCheck', '--declaration', 'false', '--noEmitOnError'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: this.root, timeout: COMPILE_MS_MAX });
    if (status !== 0) throw new Error(`mutant ${name} does not compile:\n${String(stdout).slice(0, 2_000)}`);
  }
}
