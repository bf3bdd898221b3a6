// Bootstrap: makes a bare clone runnable, then gets out of the way. Node's built-ins only, since nothing else is there yet.
//
// Every npm script, every line of the Procfile and the `emboss` command come through here. It installs when the
// lockfile asks for it, builds what is stale, and runs what was asked for in this very process, so that process id,
// signals, exit code and streams are those of the program. Progress goes to stderr; stdout belongs to the program.

const NODE_MIN = [20, 19];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  process.stderr.write(
    `Emboss needs Node.js ${NODE_MIN.join('.')} or newer; this is ${process.versions.node} (${process.execPath}).\n` +
      'Install a current version from your distribution or nodejs.org, then run the command again.\n',
  );
  process.exit(1);
}

// Imported only now, so that an old Node reads the sentence above and not a syntax error.
const { main } = await import('./bootstrap/main.mjs');
await main(process.argv.slice(2));
