// The oracle for hosted charts, for anyone's test: a live XState actor beside the hosted one. See statechart/oracle.ts.

export {
  Difference,
  oracle,
  pick,
  type Random,
  type Run,
  seeded,
  type Trial,
  type Verdict,
} from '../statechart/oracle.ts';
