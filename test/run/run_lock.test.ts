import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { lock } from '../../src/run/run_lock.node.ts';
import { failure, useFolder } from '../io/folder.ts';

describe('the lock of a run', () => {
  const path = useFolder();
  const file = () => path('run.lock');
  const left = (pid: number, host: string) => writeFileSync(file(), JSON.stringify({ pid, host }));

  it('is held once, by process and host, until it is given back', () => {
    const { release, note } = lock(file(), 'run');
    expect(note).toBeUndefined();
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ pid: process.pid, host: hostname() });
    expect(failure(() => lock(file(), 'run'))).toMatchObject({ code: 'locked' });
    release();
    expect(existsSync(file())).toBe(false);
    lock(file(), 'run').release();
  });

  it('is taken over from a dead process of this host, and from an earlier process of the same number', () => {
    for (const pid of [2 ** 30, process.pid]) {
      left(pid, hostname());
      const { release, note } = lock(file(), 'run');
      expect(note).toContain(`process ${pid}, which has ended`);
      release();
    }
  });

  it('is left to a process that lives, to another host, and where it cannot be read', () => {
    left(process.ppid, hostname());
    expect(failure(() => lock(file(), 'run')).message).toMatch(/process \d+ on .* writes it\. Fix: .*run\.lock/);
    left(2 ** 30, 'elsewhere');
    expect(failure(() => lock(file(), 'run')).message).toContain('elsewhere');
    writeFileSync(file(), 'nonsense');
    expect(failure(() => lock(file(), 'run')).message).toContain('another process');
    expect(readFileSync(file(), 'utf8')).toBe('nonsense');
  });
});
