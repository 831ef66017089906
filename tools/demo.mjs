// npm run demo: draws digits by the model that comes along, then trains preset digits and draws by that. Called after tools/bootstrap.mjs.
import { spawnSync } from 'node:child_process';

const run = (...args) => {
  const { status, signal } = spawnSync(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'tools/ucgm.ts', ...args], {
    stdio: 'inherit',
  });
  if (signal || status !== 0) process.exit(status ?? 1);
};

const out = process.argv[2] ?? `runs/demo-${new Date().toISOString().replace(/[:.]/g, '-')}`;
const [first, last] = [`${out}/bundled.png`, `${out}/digits.png`];
run('sample', '--count', '40', '--grid', first);
console.log(`${first} holds digits of a model that was trained before, in 2 steps. Now one of your own, in minutes:\n`);
run('train', '--preset', 'digits', '--data', 'digits', '--out', out);
run('sample', '--from', out, '--steps', '20', '--grid', last);
console.log(`\nThe run is in ${out}: digits.png holds samples, report.html its curves.`);
