// A mutant: the product with one guard taken out, as a text of one source file and what is to stand there instead.
//
// The product has no switch for it. A patch is data, and its text stands exactly once in its file, so that a refactoring
// cannot disarm it unseen.

export interface Mutant {
  /** Kebab-case; what `--only` takes. */
  readonly name: string;
  /** The law that it breaks. It counts as killed by a test only whose title begins with this law. */
  readonly law: string;
  /** Source file, from the root of the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files that must notice, the quickest first. */
  readonly tests: readonly string[];
  /** What the guard is for. */
  readonly why: string;
  /** Why a test that does not end is this fault, and not a slow machine. Without it a timeout does not count as killed. */
  readonly timeoutKills?: string;
}

/** A patch does not fit the source that it was written for. */
export class PatchLost extends Error {
  override readonly name = 'PatchLost';
}

/** The source with the guard taken out. Throws PatchLost unless the text to be replaced stands exactly once in it. */
export function patched({ name, file, find, replace }: Mutant, source: string): string {
  const parts = source.split(find);
  if (parts.length !== 2)
    throw new PatchLost(
      `mutant ${name}: its text stands ${parts.length - 1} times in ${file}, expected once:\n  ${find.replaceAll('\n', '\n  ')}`,
    );
  return parts.join(replace);
}
