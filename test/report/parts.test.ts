import { describe, expect, it } from 'vitest';
import { logRange, suitsLog } from '../../src/report/axis.ts';
import { duration, trainingSeconds } from '../../src/report/origin.ts';
import type { Point } from '../../src/report/series.ts';
import { commandText, parseCommands, shellText } from '../../src/run/commands.ts';
import { falling, fullReport } from './full.ts';

const line = (...values: (number | null)[]): Point[] => values.map((y, i) => [i, y]);

describe('axes', () => {
  it('are logarithmic for a loss that falls to less than half, and for nothing that is not positive', () => {
    expect(suitsLog(line(1.4, 0.9, 0.6))).toBe(true);
    expect(suitsLog(line(1.4, 0.9, 0.8))).toBe(false);
    expect(suitsLog(line(1.4, 0.1, 0))).toBe(false);
    expect(suitsLog(line(null, null))).toBe(false);
  });

  it('begin and end close to their values, with round ticks inside', () => {
    for (const [low, high] of [
      [0.3, 1.4],
      [0.81, 0.83],
      [1e-9, 1e12],
      [4, 4],
      [950, 1050],
    ] as const) {
      const { min, max, ticks } = logRange(line(high, low, null, -1)) as NonNullable<ReturnType<typeof logRange>>;
      expect(min).toBeLessThan(low);
      expect(max).toBeGreaterThan(high);
      if (low < high) expect(Math.log(max / min)).toBeLessThan(1.11 * Math.log(high / low));
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(8);
      for (const tick of ticks) expect(tick >= min && tick <= max).toBe(true);
    }
    expect(logRange(line(1.4, 0.3))?.ticks).toEqual([0.5, 1, 1.5]); // 1.5 is within the margin
    expect(logRange(line(0, -1, null))).toBeUndefined();
  });
});

describe('what a report says of its run', () => {
  it('is when and by what command it was made, what it took, and what it trained', () => {
    const html = fullReport();
    for (const [name, value] of [
      ['Date', '2026-11-26 23:40 UTC'],
      ['Parameters', '1,234,567'],
      ['Training time', '47 s'],
      ['Seed', '0'],
      ['Version', '0.1.0'],
    ])
      expect(html).toContain(`<dt>${name}</dt><dd>${value}</dd>`);
    expect(html).toContain('<code>ucgm train --preset tiny --out &#39;my run&#39;</code>');
    expect(html.indexOf('It went on by')).toBeGreaterThan(html.indexOf('--preset tiny'));
    const bare = fullReport({ commands: [], others: [] });
    expect(bare).not.toContain('<dt>Date</dt>');
    expect(bare).not.toContain('The command that makes it again');
    expect(bare).not.toContain('<h2>Compared</h2>');
  });

  it('is set beside other runs, with the settings in which they differ', () => {
    const html = fullReport();
    expect(html).toContain('<h2>Compared</h2>');
    expect(html).toContain('<th scope="row">optimizer.lr</th><td>0.004</td><td>0.001</td>');
    expect(html).toContain('<th scope="row">steps</th><td>600</td><td>400</td>');
    expect(html).not.toContain('<th scope="row">train.seed</th>'); // the same in both
    expect(html).toMatch(/aria-label="Loss over steps of 2 runs, at the end: this run 0\.\d+, runs\/slower 0\.\d+"/);
  });

  it('counts the time of the steps alone', () => {
    expect(
      trainingSeconds(
        [
          { step: 1, imagesPerSecond: 16 },
          { step: 2, imagesPerSecond: null },
        ],
        32,
      ),
    ).toBe(2);
    expect(trainingSeconds([{ step: 1 }], 32)).toBeUndefined();
    expect(trainingSeconds(falling(3, 1), 400)).toBeCloseTo(3, 1);
    expect([0.04, 9.96, 59, 61, 3600, 100_000].map(duration)).toEqual([
      '0.0 s',
      '10.0 s',
      '59 s',
      '1 min 1 s',
      '1 h 0 min',
      '27 h 46 min',
    ]);
  });
});

describe('the log of commands', () => {
  it('reads back what it writes, and leaves out what is none', () => {
    const command = { date: '2026-01-02T03:04:05.000Z', version: '1.2.3', command: "ucgm train --out 'it''s'" };
    expect(parseCommands(`${commandText(command)}{"date":1}\nnull\n{`)).toEqual([command]);
    expect(parseCommands('')).toEqual([]);
  });

  it('quotes what a shell would change', () => {
    expect(shellText(['ucgm', '--out', 'a b', "it's", '$HOME', 'TiT-S/2', ''])).toBe(
      "ucgm --out 'a b' 'it'\\''s' '$HOME' TiT-S/2 ''",
    );
  });
});
