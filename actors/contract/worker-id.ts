// The static id of a worker, out of the environment that a Procfile runner gives it.

const RUNNER_VARIABLES = ['PS', 'FOREMAN_WORKER_NAME', 'HONCHO_PROCESS_NAME', 'DYNO'] as const;

/** The id given, else the runner's name for the process if it has the form `type.number` (`PS` may be anything). */
export function workerIdOf(given: Record<string, string>): string | undefined {
  const own = given.EMBOSS_WORKER_ID;
  if (own !== undefined) return normalised(own);
  const names = RUNNER_VARIABLES.map((variable) => given[variable]);
  return names.find((name) => name !== undefined && /^[A-Za-z][A-Za-z0-9-]*\.[0-9]+$/.test(name));
}

/** `ordering`, `ordering-1` and `ordering_1` are read as `ordering.1`: a StatefulSet names its pods so. */
function normalised(id: string): string {
  const [, type, number] = /^([A-Za-z][A-Za-z0-9-]*?)(?:[._-]([0-9]+))?$/.exec(id) ?? [];
  return type === undefined ? id : `${type}.${number ?? 1}`;
}
