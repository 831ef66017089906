import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { expect, it } from 'vitest';
import { classLabel } from '../../src/cli/class_label.ts';
import { temporaryFolder, ucgm } from './run.ts';

const path = temporaryFolder();
const put = (name: string, value: number) => {
  mkdirSync(path('data', name), { recursive: true });
  const data = new Uint8Array(64).fill(value);
  writeFileSync(path('data', name, 'x.png'), encode({ width: 8, height: 8, channels: 1, depth: 8, data }));
};

it('a run keeps the names of its classes, and says when its data has changed', async () => {
  put('sea', 10);
  put('forest', 200);
  writeFileSync(
    path('small.yaml'),
    'model: { name: tiny, hidden_size: 32, depth: 1, num_heads: 2 }\ndata: { batch_size: 2 }\ntrain: { log_every: 1 }',
  );
  const args = ['--config', path('small.yaml'), '--data', path('data'), '--steps', '1'];
  expect((await ucgm(['train', '--out', path('run'), ...args])).code).toBe(0);
  expect(readFileSync(path('run', 'config.yaml'), 'utf8')).toMatch(/class_names:\s+- forest\s+- sea/);
  expect(readFileSync(path('run', 'report.html'), 'utf8')).toContain('Columns, from the left: forest, sea.');

  const draw = (label: string) =>
    ucgm([
      ...['sample', '--from', path('run'), '--grid', path('x.png'), '--count', '1', '--steps', '1', '--label'],
      label,
    ]);
  expect((await draw('sea')).code).toBe(0);
  const { code, stderr } = await draw('forst');
  expect([code, stderr]).toEqual([2, expect.stringMatching(/--label forst is no class.*did you mean forest\?/)]);
  expect((await ucgm(['export', '--from', path('run'), '--out', path('model.safetensors')])).code).toBe(0);
  expect(readFileSync(path('model.safetensors'), 'latin1')).toContain('- forest');

  const resume = () => ucgm(['train', '--resume', '--out', path('run'), '--steps', '2']);
  put('sea', 11);
  expect((await resume()).stderr).toMatch(
    /warning: data: the images \(2 of 1x8x8, \w+; now 2 of 1x8x8, \w+\) have changed/,
  );
});

it('a label is a name first, then a number', () => {
  const config = { data: { class_names: ['10', '7', 'x'] } } as never;
  expect(['10', '7', 'x', '2'].map((text) => classLabel(text, config, 3))).toEqual([0, 1, 2, 2]);
  expect(() => classLabel('3', config, 3)).toThrow(/There are 10, 7, x; or give a number from 0 to 2/);
  expect(() => classLabel('0', config, 0)).toThrow('knows no classes');
  expect(() => classLabel('1e0', { data: {} } as never, 3)).toThrow('give a number from 0 to 2');
});
