// npx tsx tools/studio-recording.ts RUN COMMAND ADAPTER DATE: a run folder as what the studio shows where there is no WebGPU, examples/studio/recorded.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseMetrics } from '../src/run/metrics.ts';

const [folder, command, adapter, date] = process.argv.slice(2);
if (!folder || !command || !adapter || !date) throw new Error('usage: studio-recording.ts RUN COMMAND ADAPTER DATE');
const MOST_LINES = 240;
const MOST_PICTURES = 6;
const to = resolve(import.meta.dirname, '../examples/studio/recorded');

const { lines } = parseMetrics(readFileSync(join(folder, 'metrics.jsonl'), 'utf8'));
const each = Math.ceil(lines.length / MOST_LINES);
const short = (value: number | null | undefined) => (typeof value === 'number' ? Number(value.toPrecision(4)) : null);
const kept = lines.filter((_, i) => i % each === 0 || i === lines.length - 1);
const steps = readdirSync(join(folder, 'samples'))
  .flatMap((name) => /^(\d+)\.png$/.exec(name)?.[1] ?? [])
  .map(Number)
  .sort((a, b) => a - b);
const shown = steps.filter((_, i) => i % Math.ceil(steps.length / MOST_PICTURES) === 0 || i === steps.length - 1);
for (const step of shown) copyFileSync(join(folder, `samples/${step}.png`), join(to, `${step}.png`));
const run = {
  command,
  adapter,
  date,
  pictures: shown,
  lines: kept.map(({ step, loss, gradNorm }) => ({ step, loss: short(loss), gradNorm: short(gradNorm) })),
};
writeFileSync(join(to, 'run.json'), `${JSON.stringify(run)}\n`);
console.log(`${to}: ${kept.length} lines, pictures of the steps ${shown.join(', ')}`);
