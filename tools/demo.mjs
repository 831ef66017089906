// npm run demo: trains the tiny preset on digits, then draws samples. Called after tools/bootstrap.mjs.
import { spawnSync } from 'node:child_process';

const run = (...args) => {
  const { status, signal } = spawnSync(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'tools/ucgm.ts', ...args], {
    stdio: 'inherit',
  });
  if (signal || status !== 0) process.exit(status ?? 1);
};

const out = process.argv[2] ?? `runs/demo-${new Date().toISOString().replace(/[:.]/g, '-')}`;
run('train', '--preset', 'tiny', '--data', 'digits', '--out', out);
run('sample', '--from', out, '--steps', '20', '--grid', `${out}/digits.png`);
console.log(
  `\nThe run is in ${out}: digits.png holds samples; report.html shows the curves, and samples as they came.`,
);
