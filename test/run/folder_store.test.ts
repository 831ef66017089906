import { existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { writeSafetensorsAtomic } from '../../src/io/safetensors.node.ts';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { failure, useFolder } from '../io/folder.ts';

describe('run folder', () => {
  const path = useFolder();

  const withCheckpoints = (...steps: number[]) => {
    const run = FolderStore.create(path('run'));
    run.writeConfig('model: {}\n');
    for (const step of steps) {
      const data = Float32Array.of(step);
      writeSafetensorsAtomic(run.checkpointPath(step), [['w', { shape: [1], data }]], { step: String(step) });
    }
    return run;
  };

  it('refuses a folder that holds a run, and one that holds none', () => {
    withCheckpoints();
    expect(failure(() => FolderStore.create(path('run')))).toMatchObject({ code: 'exists' });
    expect(failure(() => FolderStore.open(path('nothing')))).toMatchObject({ code: 'missing' });
    expect(FolderStore.open(path('run')).configText()).toBe('model: {}\n');
  });

  it('orders checkpoints by number, not by name', () => {
    const run = withCheckpoints(9, 10, 100);
    expect(run.checkpoints()).toEqual([9, 10, 100]);
    expect(run.latestCheckpoint()).toMatchObject({ step: 100, warnings: [], metadata: { step: '100' } });
  });

  it('passes over a damaged checkpoint with a warning, and fails when all are damaged', () => {
    const run = withCheckpoints(1, 2);
    truncateSync(run.checkpointPath(2), 20);
    const latest = run.latestCheckpoint();
    expect(latest?.step).toBe(1);
    expect(latest?.warnings[0]).toContain('2.safetensors');
    truncateSync(run.checkpointPath(1), 3);
    expect(failure(() => run.latestCheckpoint()).where).toContain('2.safetensors');
  });

  it('has no checkpoint before the first', () => {
    expect(withCheckpoints().latestCheckpoint()).toBeUndefined();
  });

  it('keeps the newest checkpoints and removes what a crash left', () => {
    const run = withCheckpoints(1, 2, 3);
    const torn = path('run', 'checkpoints', '.4.safetensors.77.tmp');
    writeFileSync(torn, 'half');
    mkdirSync(path('run', 'checkpoints', 'mine'));
    run.prune(2);
    expect(readdirSync(path('run', 'checkpoints')).sort()).toEqual(['2.safetensors', '3.safetensors', 'mine']);
    expect(existsSync(torn)).toBe(false);
  });
});
