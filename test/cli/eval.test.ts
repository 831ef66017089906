import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseEvaluation } from '../../src/run/evaluation.ts';
import { SMALL, temporaryFolder, ucgm, writeDigits } from './run.ts';

describe('ucgm eval and export', () => {
  const path = temporaryFolder();
  const evaluate = (from: string, ...more: string[]) =>
    ucgm(['eval', '--from', from, '--images', '40', '--batch', '16', ...more]);
  const table = (file: string) => {
    const evaluation = parseEvaluation(readFileSync(file, 'utf8'));
    if ('problem' in evaluation) throw new Error(evaluation.problem);
    return evaluation;
  };

  beforeAll(async () => {
    await writeDigits(path('digits'), 300); // of all 10,000 the features alone take ten seconds a time
    const settings = SMALL.replace('name: digits', `name: ${path('digits')}`);
    writeFileSync(path('small.yaml'), settings.replace('ema_decay: 0.5', 'ema_decay: 0.5, ema: [0, 0.6]'));
    const args = ['train', '--config', path('small.yaml'), '--steps', '5', '--out', path('run')];
    expect(await ucgm(args)).toMatchObject({ code: 0, stderr: '' });
  });

  it('scores a run by number of steps, adds rows to its eval.json, and shows them in its report', async () => {
    expect(await evaluate(path('run'), '--steps', '1,2')).toMatchObject({ code: 0, stderr: '' });
    const first = table(path('run', 'eval.json'));
    expect(first).toMatchObject({
      features: 'mnist_features.safetensors',
      images: 40,
      reference: 'digits, 300 images',
    });
    expect(first.rows.map((row) => [row.steps, row.nfe])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    for (const { frechet, accuracy, recall } of first.rows) {
      expect(frechet).toBeGreaterThan(10); // five steps teach nothing
      expect(accuracy).toBeLessThan(0.6);
      expect(recall).toBeLessThan(0.5);
    }
    expect((await evaluate(path('run'), '--steps', '2', '--kappa', '0.3', '--warp', '1.1,0.9,1')).code).toBe(0);
    const { rows } = table(path('run', 'eval.json'));
    expect(rows).toHaveLength(3);
    expect(rows.filter((row) => row.setting.includes('kappa 0.3, warp 1.1,0.9,1'))).toHaveLength(1);
    expect(rows).toEqual(expect.arrayContaining(first.rows));
    expect(readFileSync(path('run', 'report.html'), 'utf8')).toContain('kappa 0.3');
  });

  it('gives the same scores twice, of the run and of its exported file up to half precision', async () => {
    const out = await ucgm(['export', '--from', path('run'), '--out', path('model.safetensors')]);
    expect(out).toMatchObject({ code: 0, stderr: '' });
    const scoreOf = async (from: string, json: string) => {
      expect(await evaluate(from, '--steps', '2', '--json', path(json))).toMatchObject({ code: 0, stderr: '' });
      return table(path(json)).rows[0]?.frechet as number;
    };
    const plain = table(path('run', 'eval.json')).rows.find((row) => row.steps === 2 && !row.setting.includes('kappa'));
    const before = plain?.frechet as number;
    expect(await scoreOf(path('run'), 'again.json')).toBe(before);
    expect(Math.abs((await scoreOf(path('model.safetensors'), 'file.json')) / before - 1)).toBeLessThan(0.02);
    const args = [
      'sample',
      '--from',
      path('model.safetensors'),
      '--count',
      '4',
      '--steps',
      '2',
      '--grid',
      path('x.png'),
    ];
    expect(await ucgm(args)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 network passes') });
  });

  it('scores several seeds of the noise, each as it alone, and sets evaluations side by side', async () => {
    const scored = async (file: string, ...more: string[]) => {
      const out = await evaluate(path('run'), '--steps', '2', '--json', path(file), ...more);
      expect(out).toMatchObject({ code: 0, stderr: '' });
      return { stdout: out.stdout, row: table(path(file)).rows[0] };
    };
    const both = await scored('both.json', '--seeds', '2');
    expect(both.row).toMatchObject({ seeds: [0, 1] });
    expect(both.stdout).toMatch(/ 2 +2x40 /);
    const each = [await scored('zero.json'), await scored('one.json', '--seeds', '1,5')];
    const [zero, others] = each.map(({ row }) => row) as [typeof both.row, typeof both.row];
    expect(others?.seeds).toEqual([1, 5]);
    const off = Math.abs((both.row?.frechet as number) - (zero?.frechet as number)); // half of their distance
    expect(both.row?.deviation?.frechet).toBeCloseTo(Math.SQRT2 * off, 9);
    const out = await ucgm(['eval', '--compare', path('both.json'), path('one.json'), '--html', path('two.html')]);
    expect(out).toMatchObject({ code: 0, stderr: '' });
    expect(out.stdout).toMatch(/note: the seeds of the noise differ/);
    expect(readFileSync(path('two.html'), 'utf8')).toContain('<svg');
  });

  it('scores and exports every average that the run kept: that of decay 0 is the weights themselves', async () => {
    const label = async (...choice: string[]) => {
      const args = ['--from', path('run'), ...choice];
      const out = await ucgm(['export', ...args, '--out', path('average.safetensors')]);
      expect(out).toMatchObject({ code: 0, stderr: '' });
      return out.stdout.slice(out.stdout.indexOf('step'));
    };
    const bytes = async (...choice: string[]) => {
      await label(...choice);
      return readFileSync(path('average.safetensors'));
    };
    expect(await label('--average', '0.6')).toBe('step 5, ema-0.6\n');
    expect(await label('--average', '0.5')).toBe('step 5, ema\n');
    expect(await bytes('--average', '0')).toEqual(await bytes('--weights', 'model'));
    expect(await bytes('--average', '0.6')).not.toEqual(await bytes('--average', '0.5'));
    const scored = await evaluate(path('run'), '--steps', '2', '--average', '0.6', '--json', path('average.json'));
    expect(scored.code).toBe(0);
    expect(table(path('average.json')).model).toBe('tiny, step 5, ema-0.6');
    const { code, stderr } = await evaluate(path('run'), '--average', '0.7');
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/no average of decay 0.7. Fix: it has those of 0.5, 0, 0.6/),
    ]);
  });

  it('samples the model that comes along where none is named', async () => {
    const args = ['sample', '--count', '10', '--grid', path('digits.png')];
    expect(await ucgm(args)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('2 network passes'),
    });
    expect(existsSync(path('digits.png'))).toBe(true);
  });

  it.each([
    ['nothing to score', () => ucgm(['eval']), /'--from <path>' not specified/],
    ['one run to compare', () => ucgm(['eval', '--compare', path('run')]), /at least two runs/],
    ['a run without scores', () => ucgm(['eval', '--compare', path('run'), path('run', 'samples')]), /score it first/],
    ['seeds twice', () => evaluate(path('run'), '--seeds', '1,1'), /each seed once/],
    ['no such model', () => evaluate(path('nowhere')), /holds no run/],
    ['too few images', () => ucgm(['eval', '--from', path('run'), '--images', '2']), /at least 4 images/],
    ['no steps', () => evaluate(path('run'), '--steps', '0'), /sampling_steps is 0/],
    ['steps that are no numbers', () => evaluate(path('run'), '--steps', 'few'), /give a number/],
    ['two gaps that are three', () => evaluate(path('run'), '--gaps', '0,1,2'), /give 2 numbers/],
    ['gaps that leave nothing', () => evaluate(path('run'), '--gaps', '0.6,0.6'), /less than 1 together/],
    ['a seed of more than 32 bits', () => evaluate(path('run'), '--seed', '4294967296'), /below 2\^32/],
    ['weights of a file', () => evaluate(path('model.safetensors'), '--weights', 'ema'), /holds one set of weights/],
    ['an average of a file', () => evaluate(path('model.safetensors'), '--average', '0.6'), /holds one set of weights/],
    ['features that are none', () => evaluate(path('run'), '--features', path('model.safetensors')), /cannot be read/],
    ['weights of no kind', () => evaluate(path('run'), '--weights', 'best'), /use ema or model/],
    ['data without features', () => evaluate(path('run'), '--data', 'shapes'), /give --features FILE/],
    ['a file without a description', () => evaluate(path('bare.safetensors')), /does not say which model/],
    [
      'an export to another kind',
      () => ucgm(['export', '--from', path('run'), '--out', path('m.pt')]),
      /\.safetensors/,
    ],
  ])('%s: one line with its fix, exit code 2', async (_, run, message) => {
    const head = new Uint8Array(16);
    head.set([8, 0, 0, 0, 0, 0, 0, 0], 0);
    head.set(new TextEncoder().encode('{}      '), 8);
    writeFileSync(path('bare.safetensors'), head);
    const { code, stderr } = await run();
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });
});
