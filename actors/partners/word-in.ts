// Looking a partner's word up in a table of ours. The word is anybody's: `constructor` is in no table, whatever the language says.

export const wordIn = <T>(table: { readonly [word: string]: T }, word: string | undefined): T | undefined =>
  word !== undefined && Object.hasOwn(table, word) ? table[word] : undefined;
