import { appendFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { firstMetricsStep, MetricsLog, readMetrics, readSoundMetrics } from '../../src/run/metrics_log.node.ts';
import { failure, useFolder } from '../io/folder.ts';

describe('metrics.jsonl', () => {
  const path = useFolder();

  it('goes on after a crash: a cut line and later steps are dropped', () => {
    const log = MetricsLog.open(path('m'), 0);
    for (const step of [1, 2, 3]) log.append({ step, loss: step / 3 });
    log.close();
    appendFileSync(path('m'), '{"step":4,"lo');
    const resumed = MetricsLog.open(path('m'), 2);
    resumed.append({ step: 3, loss: 7 });
    resumed.close();
    expect(readMetrics(path('m'))).toEqual([
      { step: 1, loss: 1 / 3 },
      { step: 2, loss: 2 / 3 },
      { step: 3, loss: 7 },
    ]);
  });

  it('names a broken line', () => {
    writeFileSync(path('m'), '{"step":1}\nnonsense\n{"step":2}\n');
    expect(failure(() => MetricsLog.open(path('m'), 9)).message).toContain('line 2');
  });

  it('reads NaN and Infinity as nothing, and for a look leaves broken lines out and counts them', () => {
    writeFileSync(path('m'), '{"step":1,"loss":NaN,"x":[-Infinity]}\nnull\n{"step":2,"loss":1}\n');
    expect(readSoundMetrics(path('m'))).toEqual({
      lines: [
        { step: 1, loss: null, x: [null] },
        { step: 2, loss: 1 },
      ],
      broken: [2],
    });
    expect(firstMetricsStep(path('m'))).toBe(1);
    writeFileSync(path('m'), '');
    expect(firstMetricsStep(path('m'))).toBeUndefined();
  });

  it('refuses a line after close, and a folder that does not exist', () => {
    const log = MetricsLog.open(path('m'), 0);
    log.close();
    log.close();
    expect(failure(() => log.append({ step: 1 }))).toMatchObject({ code: 'closed' });
    expect(failure(() => MetricsLog.open(path('no', 'm'), 0))).toMatchObject({ code: 'write' });
  });
});
