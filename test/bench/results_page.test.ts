import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { addBench } from '../../bench/command.ts';
import type { Environment } from '../../bench/environment.ts';
import { type Line, parseResults, type Results, ResultsError } from '../../bench/results.ts';
import { resultsHtml, resultsPage } from '../../bench/results_page.ts';
import { arithmeticOf, cornerOf, roofAt, rooflinePoints } from '../../bench/roofline.ts';
import { rooflineChart } from '../../bench/roofline_chart.ts';
import { resultsText } from '../../examples/studio/kernels/share.ts';
import { runCommand } from '../../src/cli/main.ts';

const CEILINGS = { gbps: 2000, tflops: 50 };
const ENVIRONMENT: Environment = {
  suite: 'environment',
  schema: 3,
  version: '0.1.0',
  commit: 'abc1234',
  date: '2026-11-27T06:57:07.119Z',
  os: 'linux',
  cpu: '16 x a processor',
  runtime: 'node 20.20.2, webgpu 0.6.2',
  adapter: 'Some GPU',
  driver: '580.159.04',
  software: false,
  ceilings: CEILINGS,
};

/** A case of 1 ms: its operations and bytes in 1e9 and 1e6, so that they are its TFLOP/s and GB/s. */
const kase = (name: string, tflops: number, gbps: number, more: object = {}): Line => ({
  suite: 'kernels',
  case: name,
  ms: 1,
  p10: 0.9,
  p90: 1.2,
  kernel: 'matmul_tiled',
  variant: 'A=1,B=vec4<f32>',
  dtype: 'f32',
  tflops,
  gbps,
  ofRoofline: Math.max(tflops / CEILINGS.tflops, gbps / CEILINGS.gbps),
  ...more,
});
const results = (lines: readonly Line[], environment: Environment | undefined = ENVIRONMENT): Results => ({
  environment,
  cases: new Map(lines.map((line) => [line.case, line])),
});
const html = (lines: readonly Line[], environment?: Environment) =>
  resultsHtml({ name: 'some-gpu-kernels', results: results(lines, environment) });

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Where the circles of the cases lie, in pixels: their paths begin 4 to the left. */
const circles = (svg: string): Place[] =>
  Array.from(svg.matchAll(/class="f32" d="M([\d.]+) ([\d.]+)[^>]*>(?=<title>)/g), ([, x, y]) => ({
    x: Number(x) + 4,
    y: Number(y),
  }));

describe('a roofline', () => {
  it('is the slope of copying up to its corner, then the level of multiplying', () => {
    expect(cornerOf(CEILINGS)).toBe(25);
    expect(roofAt(CEILINGS, 0.5)).toBe(1);
    expect(roofAt(CEILINGS, 25)).toBe(50);
    expect(roofAt(CEILINGS, 1000)).toBe(50);
  });

  it('has a point for each case that computes, at operations per byte and TFLOP/s', () => {
    const points = rooflinePoints(
      results([kase('a', 25, 1000), kase('copy', 0, 1800), { suite: 'kernels', case: 'broken', error: 'wrong' }]),
    );
    expect(points).toEqual([{ name: 'a', ms: 1, intensity: 25, tflops: 25, share: 0.5, arithmetic: 'f32' }]);
  });

  it('tells arithmetic by name and dtype', () => {
    for (const [name, dtype, arithmetic] of [
      ['matmul nt 64x64x64', 'f32', 'f32'],
      ['matrixMatmul nt 64x64x64 matrix 64x64 vec mnk f32x3', 'f32', 'f32x3'],
      ['matrixMatmul nt+f16 a 64x64x64 matrix 64x64 f16', 'f32', 'mixed'],
      ['attention 64x3x64x64', 'f16', 'mixed'],
      ['step TiT-S/2 b64 mixed', 'mixed', 'mixed'],
      ['step TiT-S/2 b64 f32x3', 'f32x3', 'f32x3'],
    ] as const)
      expect(arithmeticOf({ suite: 'kernels', case: name, dtype }), name).toBe(arithmetic);
  });

  it('draws points at their logarithms, on the roof where they reach it, and its corner at the corner', () => {
    // A decade apart each way, and two that reach the roof: on the slope, and beyond the corner.
    const lines = [kase('a', 0.2, 2000), kase('b', 2, 2000), kase('c', 0.2, 200), kase('d', 50, 500)];
    const svg = rooflineChart(rooflinePoints(results(lines)), CEILINGS, 'some-gpu');
    const [a, b, c, d] = circles(svg) as [Place, Place, Place, Place];
    const decade = { x: b.x - a.x, y: a.y - b.y };
    for (const length of [decade.x, decade.y]) expect(length).toBeGreaterThan(20);
    expect(c.x).toBeCloseTo(b.x, 0);
    expect(c.y).toBeCloseTo(a.y, 0);
    expect(d.x).toBeCloseTo(a.x + 3 * decade.x, 0);
    const roof = /class="roof" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)H([\d.]+)"/.exec(svg)?.slice(1).map(Number);
    const [startX, startY, cornerX, cornerY, end] = roof as [number, number, number, number, number];
    expect(cornerX).toBeCloseTo(a.x + Math.log10(250) * decade.x, 0);
    expect(cornerY).toBeCloseTo(d.y, 0);
    expect(end).toBeGreaterThan(cornerX);
    for (const { x, y } of [a, b]) {
      const along = (x - startX) / (cornerX - startX);
      expect(startY + along * (cornerY - startY)).toBeCloseTo(y, 0);
    }
  });

  it('tells arithmetics apart by shape and colour, names its axes with units, and every point', () => {
    const lines = [
      kase('copying', 0.1, 100),
      kase('m f32', 20, 100),
      kase('m f32x3', 30, 100),
      kase('m f16', 300, 100),
    ];
    const svg = rooflineChart(rooflinePoints(results(lines)), CEILINGS, 'some-gpu');
    const looks = ['f32', 'f32x3', 'mixed'].map((kind) => {
      const [, path, paint] = new RegExp(`class="${kind}" d="M[\\d. ]+?([a-z][^"]*)" fill="([^"]*)"`).exec(svg) ?? [];
      return { path, paint };
    });
    expect(new Set(looks.map(({ path }) => path)).size).toBe(3);
    expect(new Set(looks.map(({ paint }) => paint)).size).toBe(3);
    for (const words of ['operations per byte', 'TFLOP/s', 'copy 2,000 GB/s', 'f32 multiply-add 50 TFLOP/s'])
      expect(svg).toContain(`>${words}</text>`);
    expect(svg).toContain('<title>m f32x3: 1 ms, 30 TFLOP/s, 60% of the roof, f32x3</title>');
    expect(svg).toContain('aria-label="Roofline of some-gpu: 4 cases, ');
    expect(svg).not.toMatch(/NaN|Infinity|undefined|#[0-9a-f]{3,6}\b/); // colours are the page's
    expect(rooflineChart(rooflinePoints(results([kase('m', 1, 1)])), CEILINGS, 'one')).not.toMatch(/NaN|Infinity/);
  });

  it('has the level of products on subgroup matrices where there is one, to which the slope goes on', () => {
    const ceilings = { ...CEILINGS, f16Tflops: 100, matrixTflops: 500 };
    const lines = [kase('a', 0.2, 2000), kase('b', 2, 2000), kase('d', 50, 500)];
    const svg = rooflineChart(rooflinePoints(results(lines)), ceilings, 'some-gpu');
    const [a, b] = circles(svg) as [Place, Place];
    const decade = { x: b.x - a.x, y: a.y - b.y };
    const dashed = /class="roof" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)H[^>]*dasharray/
      .exec(svg)
      ?.slice(1)
      .map(Number);
    const [fromX, fromY, toX, toY] = dashed as [number, number, number, number];
    expect(toX - fromX).toBeCloseTo(decade.x, 0);
    expect(fromY - toY).toBeCloseTo(decade.y, 0);
    expect(svg).toContain('>matrices 500 TFLOP/s</text>');
    expect(svg).toContain('copy 2,000 GB/s, f32 multiply-add 50 TFLOP/s, f16 100 TFLOP/s, matrices 500 TFLOP/s"');
    const page = html(lines, { ...ENVIRONMENT, ceilings });
    expect(page).toContain(
      'Products on subgroup matrices are held against the dashed one, f32x3 against a third of it.',
    );
    expect(html([kase('m f16', 300, 100)])).toContain('may lie above: their ceiling is a higher one.');
  });
});

describe('the page of a results file', () => {
  it('says where its numbers come from, and sorts cases by their share of the roof', () => {
    const page = html([kase('low', 5, 100), kase('high', 45, 100), kase('none', 0, 0, { ofRoofline: undefined })]);
    for (const [name, value] of [
      ['Adapter', 'Some GPU'],
      ['Driver', '580.159.04'],
      ['Date', '2026-11-27 06:57 UTC'],
      ['Commit', 'abc1234'],
      ['Runtime', 'node 20.20.2, webgpu 0.6.2'],
      ['Ceilings', 'copy 2,000 GB/s, f32 multiply-add 50 TFLOP/s'],
    ])
      expect(page).toContain(`<dt>${name}</dt><dd>${value}</dd>`);
    expect(Array.from(page.matchAll(/<th scope="row">(\w+)<\/th>/g), ([, name]) => name)).toEqual([
      'high',
      'low',
      'none',
    ]);
    expect(page).toContain(
      '<th scope="row">high</th><td>90%</td><td>1</td><td>0.9 to 1.2</td><td>45</td><td>100</td><td>f32</td><td>matmul_tiled</td><td>A=1, B=vec4&lt;f32&gt;</td>',
    );
    expect(page).toContain('Cases that compute nothing are in the table alone: 1.');
    expect(page).not.toMatch(/\n\s*\n/); // Markdown would end the block
  });

  it('has the steps of a model in a table of their own, and no roofline where there are no ceilings', () => {
    const { ceilings: _, ...environment } = ENVIRONMENT;
    const step = { suite: 'model', case: 'step TiT-S/2 b64 mixed', dtype: 'mixed', ms: 33.1, p10: 33, p90: 34 };
    const page = html(
      [{ ...step, forwardMs: 11, hostMs: 5.2, firstMs: 1600, kernelMs: 34, kernels: [], peakBytes: 1.25e9 }],
      environment,
    );
    expect(page).toContain(
      '<th scope="row">step TiT-S/2 b64 mixed</th><td>33.1</td><td>33 to 34</td><td>11</td><td>5.2</td><td>1,600</td><td>34</td><td>1,250</td><td>mixed</td>',
    );
    expect(page).not.toContain('<svg');
    expect(page.match(/<table>/g)).toHaveLength(1);
  });

  it('leaves out columns that no case has, and says what failed, and of a software adapter what its times say', () => {
    const page = html(
      [
        { suite: 'latents', case: 'shards', ms: 2 },
        { suite: 'latents', case: 'x', error: 'no <file>' },
      ],
      {
        ...ENVIRONMENT,
        software: true,
      },
    );
    expect(page).toContain('<th scope="col">case</th><th scope="col">ms</th></tr>');
    expect(page).toContain('<p class="warning">failed: x: no &lt;file&gt;</p>');
    expect(page).toContain('A software adapter: these times say nothing about a GPU.');
  });

  it('escapes what a file says', () => {
    const evil = '<img src=x onerror="alert(1)"> & \'more\'';
    const page = resultsPage([
      { name: evil, results: results([kase(evil, 1, 1, { variant: evil })], { ...ENVIRONMENT, adapter: evil }) },
    ]);
    expect(page).not.toContain('<img');
    expect(page.split('&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &#39;more&#39;').length).toBeGreaterThan(5);
  });

  it('takes what the page of kernels saves', () => {
    const saved = resultsText(results([kase('matmul nt', 30, 400)]));
    const page = resultsHtml({ name: 'kernels', results: parseResults(saved, 'kernels.jsonl') });
    expect(page).toContain('<title>matmul nt: 1 ms, 30 TFLOP/s, 60% of the roof, f32</title>');
  });

  it('refuses a file that does not say where it comes from', () => {
    const nameless = { environment: undefined, cases: new Map([['a', kase('a', 1, 1)]]) };
    expect(() => resultsHtml({ name: 'old.jsonl', results: nameless })).toThrow(ResultsError);
    expect(() => parseResults('\n', 'empty.jsonl')).toThrow('empty.jsonl holds no case');
  });
});

describe('ucgm bench --html', () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'ucgm-page-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });

  const file = (name: string, lines: readonly object[]) => {
    const path = join(folder, name);
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
    return path;
  };

  it('draws results files as one page', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const page = join(folder, 'new', 'page.html');
    const files = ['a', 'b'].map((name) => file(`${name}.jsonl`, [ENVIRONMENT, kase(`case ${name}`, 30, 400)]));
    await runCommand(addBench, ['bench', '--html', page, ...files]);
    expect(process.exitCode).toBeUndefined();
    expect(log.mock.calls).toEqual([[page]]);
    const text = readFileSync(page, 'utf8');
    for (const name of files) expect(text).toContain(`<h2>${name}</h2>`);
    expect(text.match(/<svg /g)).toHaveLength(2);
  });

  it('refuses in one line what it cannot draw, and writes nothing', async () => {
    const page = join(folder, 'none.html');
    const good = file('good.jsonl', [ENVIRONMENT, kase('a', 1, 1)]);
    for (const [args, message] of [
      [[page], /--html takes files that --json wrote/],
      [[page, '--suite', 'smoke', good], /--html has no use for --suite/],
      [[page, file('empty.jsonl', [])], /empty\.jsonl holds no case/],
      [[page, file('old.jsonl', [kase('a', 1, 1)])], /old\.jsonl has no line of its environment/],
      [[page, join(folder, 'missing.jsonl')], /missing\.jsonl cannot be read/],
      [[join(folder, 'page.txt'), good], /no name of a \.html file/],
    ] as const) {
      const error = vi.spyOn(console, 'error').mockImplementation(() => {});
      await runCommand(addBench, ['bench', '--html', ...args]);
      expect(error.mock.calls.join('\n')).toMatch(message);
      expect(process.exitCode).toBe(2);
      vi.restoreAllMocks();
    }
    expect(existsSync(page)).toBe(false);
  });
});
