// Biome lints and formats. ESLint is here for two typed rules only: in a durable runtime a promise nobody
// awaits is an event that gets lost, and Biome does not see the promises of packages such as ioredis.

import tseslint from 'typescript-eslint';

export default [
  { ignores: ['build/**', 'node_modules/**', '.data/**', '.cache/**', '.tap/**'] },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'off' },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        // tap keeps the promise of a subtest itself: a file of tests need not await each.
        { allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }] },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
    },
  },
];
