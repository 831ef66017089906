import { describe, expect, it } from 'vitest';
import { type ReportData, reportHtml } from '../../src/report/page.ts';
import type { Strip } from '../../src/report/pictures.ts';
import { column, evenly, MAX_POINTS, type Row, runningMean, thinned } from '../../src/report/series.ts';
import { parseEvaluation } from '../../src/run/evaluation.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type RunConfig, stringifyConfig } from '../../src/run/settings.ts';
import { EVALUATION } from './full.ts';

const SCRIPT = '<script>alert("1")</script>';
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);

function configOf(...parts: Parameters<typeof mergeConfig>[1][]): RunConfig {
  return mergeConfig('the test', presetNamed('tiny'), ...parts);
}

function page(more: Partial<ReportData> = {}): string {
  const config = more.config ?? configOf();
  return reportHtml({ config, configText: stringifyConfig(config), metrics: [], samples: [], ...more });
}

const rows = (count: number, loss: (step: number) => number | null): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    step: i + 1,
    loss: loss(i + 1),
    gradNorm: 1 + (i % 7),
    nonFinite: 0,
    imagesPerSecond: 100,
  }));

/** Everything a whole report has. */
const FULL: Partial<ReportData> = {
  metrics: rows(300, (step) => 1 / step),
  samples: [{ step: 100, png: PNG }],
  strip: { step: 300, png: PNG, rows: [1, 2, 4, 8, 20] },
  evaluation: parseEvaluation(JSON.stringify(EVALUATION)),
  adapter: 'a fine adapter',
};

/** Tags that are opened and not closed, in a page whose text is escaped. */
function unclosed(html: string): string[] {
  const open: string[] = [];
  for (const [, close, name, rest] of html.matchAll(/<(\/?)([a-zA-Z][\w-]*)([^>]*)>/g)) {
    if (close) expect(open.pop()).toBe(name);
    else if (!/^(meta|img|br)$/.test(name as string) && !rest?.endsWith('/')) open.push(name as string);
  }
  return open;
}

/** Numbers of points in the longest path of a page. */
const longestPath = (html: string) =>
  Math.max(...[...html.matchAll(/ d="([^"]*)"/g)].map(([, d]) => d?.match(/-?[\d.]+[ ,]-?[\d.]+|L|M/g)?.length ?? 0));

describe('report.html', () => {
  it('asks for nothing outside itself, and runs nothing', () => {
    const html = page(FULL);
    const addresses = [...html.matchAll(/(?:src|href|xlink:href|action|data)="([^"]*)"|url\(([^)]*)\)/g)];
    expect(addresses.length).toBeGreaterThan(2);
    for (const [, quoted, bracketed] of addresses) expect(quoted ?? bracketed).toMatch(/^(data:image\/png;base64,|#)/);
    expect(html).not.toMatch(/https?:|<script|<link|@import|\bon\w+=/);
    expect(html).toContain("default-src 'none'");
  });

  it('is well-formed, with one identifier for one thing, and an alternative for every picture', () => {
    const html = page(FULL);
    expect(unclosed(html.replace('<!doctype html>', ''))).toEqual([]);
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(3);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of html.matchAll(/url\(#([^)]*)\)/g)) expect(ids).toContain(id);
    for (const [img] of html.matchAll(/<img[^>]*>/g)) expect(img).toMatch(/alt="[^"]+"/);
    for (const [svg] of html.matchAll(/<svg[^>]*>/g)) expect(svg).toMatch(/aria-label="[^"]+"/);
  });

  it('shows the run: title, steps, adapter, samples, strip, schedule, evaluation, configuration', () => {
    const html = page(FULL);
    for (const text of ['<h1>tiny on digits</h1>', '300 of 1,200', 'a fine adapter', 'step 100', '20 steps'])
      expect(html).toContain(text);
    for (const title of [
      'Training',
      'Samples over time',
      'Fewer steps, same noise',
      'Sampling schedule',
      'Evaluation',
      'Configuration',
    ])
      expect(html).toContain(`<h2>${title}</h2>`);
    expect(html).toContain('sampling_steps: 20');
    expect(html).toContain('prefers-color-scheme: dark');
    expect(page(FULL)).toBe(html);
  });

  it('names the classes of the columns beside the samples and the strip, where they have names', () => {
    const line = 'Columns, from the left: forest, sea &amp; sky.';
    const pictures = { samples: FULL.samples ?? [], strip: FULL.strip as Strip };
    expect(page({ ...pictures, columnNames: ['forest', 'sea & sky'] }).split(line)).toHaveLength(3);
    expect(page({ columnNames: ['forest', 'sea & sky'] })).not.toContain('Columns');
    expect(page(pictures)).not.toContain('Columns');
  });

  it('escapes whatever comes from files', () => {
    const config = configOf({ model: { name: SCRIPT }, data: { name: `${SCRIPT}' onload="x` } as RunConfig['data'] });
    const hostile = JSON.parse(
      JSON.stringify(EVALUATION).replace(/"(plain|an adapter|a classifier[^"]*)"/g, '"<b>&x"'),
    );
    const html = page({
      config,
      adapter: SCRIPT,
      columnNames: [SCRIPT],
      samples: [{ step: 1, png: PNG }],
      evaluation: parseEvaluation(JSON.stringify(hostile)),
      ...{ metrics: FULL.metrics ?? [] },
    });
    expect(html).not.toMatch(/<script|<b>|" onload="|&x/);
    expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
    expect(unclosed(html.replace('<!doctype html>', ''))).toEqual([]);
  });

  it('takes an empty log, one line, and lines without a finite number', () => {
    expect(page()).toContain('Nothing was logged yet');
    expect(page({ metrics: rows(1, () => 0.5) })).toContain('1 of 1,200');
    const broken = page({ metrics: rows(50, (step) => (step % 2 ? null : Number.NaN)) });
    expect(broken).toContain('in 50 the loss');
    expect(broken).not.toMatch(/="[^"]*(NaN|Infinity)/);
    const gaps = page({ metrics: rows(50, (step) => (step > 20 && step < 30 ? null : step)) });
    expect(gaps).toContain('in 9 the loss');
    const bare = page({ metrics: [{ step: 1 }, { step: 2, loss: 'x' } as unknown as Row] });
    expect(bare).toContain('<h2>Training</h2>');
  });

  it('says how many lines of the log are left out', () => {
    expect(page({ metrics: rows(3, () => 1), brokenLines: 2 })).toContain('2 lines of metrics.jsonl are broken');
    expect(page({ metrics: rows(3, () => 1) })).not.toContain('broken');
  });

  it('says where gradients were not finite', () => {
    const metrics = rows(20, () => 1).map((row) => (row.step === 7 ? { ...row, nonFinite: 3 } : row));
    expect(page({ metrics })).toContain('1 of 20 steps had gradients that were NaN or infinite');
    expect(page({ metrics: rows(20, () => 1) })).toContain('No gradient was NaN or infinite');
  });

  it('says what mixed precision skipped', () => {
    const metrics = rows(20, () => 1).map((row) => ({ ...row, lossScale: 32768, skipped: row.step < 7 ? 0 : 2 }));
    expect(page({ metrics })).toContain('2 steps were skipped, as mixed precision does where gradients overflow');
    expect(page({ metrics: rows(20, () => 1) })).not.toContain('skipped');
  });

  it('shows what is wrong with an eval.json instead of failing', () => {
    const wrong = { ...EVALUATION, rows: [{ ...EVALUATION.rows[0], frechet: SCRIPT }] };
    for (const text of ['{', '[]', 'null', JSON.stringify(wrong)]) {
      const evaluation = parseEvaluation(text);
      expect(evaluation).toHaveProperty('problem', expect.stringMatching(/^eval.json [^\n]*$/));
      expect(page({ evaluation })).toMatch(/class="warning">eval.json/);
      expect(page({ evaluation })).not.toContain('<script');
    }
    const none = parseEvaluation(JSON.stringify({ ...EVALUATION, rows: [] }));
    expect(page({ evaluation: none })).toContain('<h2>Evaluation</h2>');
    const one = parseEvaluation(JSON.stringify({ ...EVALUATION, rows: EVALUATION.rows.slice(2) }));
    expect(page({ evaluation: one })).toContain('2 at 20');
    expect(page({ evaluation: one })).not.toMatch(/="[^"]*(NaN|Infinity)/);
    const zero = { ...EVALUATION, rows: [{ ...EVALUATION.rows[0], frechet: 0 }] };
    expect(page({ evaluation: parseEvaluation(JSON.stringify(zero)) })).toContain('plain');
  });

  it('stays small for a run of a million steps', () => {
    const html = page({ metrics: rows(1e6, (step) => 2 + Math.sin(step) + (step === 654_321 ? 500 : 0)) });
    expect(html.length).toBeLessThan(1e6);
    expect(longestPath(html)).toBeLessThanOrEqual(2 * MAX_POINTS);
  });

  it('draws schedules of every transport, of one step and of very many', () => {
    for (const transport_type of ['Linear', 'ReLinear', 'TrigFlow', 'TrigLinear', 'EDM', 'Random'] as const) {
      for (const sampling_steps of [1, 20, 50_000]) {
        const part = { transport: { transport_type }, sample: { sampling_steps } };
        const html = page({ config: configOf(part as Parameters<typeof mergeConfig>[1]) });
        expect(html).toContain(`${transport_type} transport, ${sampling_steps} steps`);
        expect(html.length).toBeLessThan(1e6);
      }
    }
  });
});

describe('lines', () => {
  it('are thinned to a limit, with every spike, in order', () => {
    const points = column(
      rows(1e6, (step) => (step === 1234 ? 99 : step === 700_000 ? -99 : step % 10)),
      'loss',
    );
    const few = thinned(points);
    expect(few.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(few).toContainEqual([1234, 99]);
    expect(few).toContainEqual([700_000, -99]);
    expect(few.every(([x], i) => i === 0 || x > (few[i - 1]?.[0] as number))).toBe(true);
  });

  it('keep a gap where nothing was finite', () => {
    const points = column(
      rows(1e5, (step) => (step > 40_000 && step < 60_000 ? null : 1)),
      'loss',
    );
    expect(thinned(points).some(([, y]) => y === null)).toBe(true);
    expect(runningMean(points).every(([, y]) => y === null || y === 1)).toBe(true);
  });

  it('have a running mean that a spike leaves again', () => {
    const mean = runningMean(
      column(
        rows(5000, (step) => (step === 100 ? 1e300 : 1)),
        'loss',
      ),
    );
    expect(mean.at(-1)).toEqual([5000, 1]);
    expect(runningMean([])).toEqual([]);
    expect(runningMean([[3, 7]])).toEqual([[3, 7]]);
  });

  it('are chosen evenly, the newest always', () => {
    const steps = Array.from({ length: 100 }, (_, i) => i);
    expect(evenly(steps, 12)).toHaveLength(12);
    expect(evenly(steps, 12).at(-1)).toBe(99);
    expect(evenly(steps, 1)).toEqual([99]);
    expect(evenly([4, 5], 12)).toEqual([4, 5]);
    expect(evenly([], 12)).toEqual([]);
  });
});
