// The product's worker for the commit bench: nothing but `host`, with everything switched on.

import { host } from '../../runtime/index.ts';
import { namespace, subject } from './subject.ts';

const url = process.argv[2] ?? '';
const worker = await host({
  namespace,
  worker: 'bench.1',
  url,
  charts: [subject()],
  peers: { dlv: { url } },
  durability: 'memory',
});
process.once('SIGTERM', () => {
  worker.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
while (worker.shards().length < 64) await new Promise((resolve) => setImmediate(resolve));
process.send?.('ready');
