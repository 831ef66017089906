import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { writeAll } from '../io/atomic.node.ts';
import { IoError, systemReason } from '../io/errors.ts';

/** Who writes a run. */
interface Holder {
  readonly pid: number;
  readonly host: string;
}

/** Locks of this process, removed when it exits. */
const held = new Set<string>();
process.on('exit', () => {
  for (const path of held) rmSync(path, { force: true });
});

/**
 * Locks what a file stands for: the file is there, with process and host, for as long as one process writes. One that a dead
 * process of this host left is taken over.
 * @param what is locked, for messages.
 * @returns how to give the lock back, and, where one was taken over, a line that says so.
 * @throws IoError where another process holds it, or the file cannot be written.
 */
export function lock(path: string, what: string): { release: () => void; note?: string } {
  const before = take(path, what) ? undefined : takeOver(path, what);
  held.add(path);
  const release = () => {
    if (held.delete(path)) rmSync(path, { force: true });
  };
  return {
    release,
    ...(before && { note: `${what}: took over the lock of process ${before.pid}, which has ended` }),
  };
}

/** Makes the file, which only one process can; false where it is there. */
function take(path: string, what: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new IoError('write', what, `it cannot be locked (${systemReason(error)})`, 'check its folder', error);
  }
  try {
    const me: Holder = { pid: process.pid, host: hostname() };
    writeAll(fd, new TextEncoder().encode(`${JSON.stringify(me)}\n`));
  } finally {
    closeSync(fd);
  }
  return true;
}

function takeOver(path: string, what: string): Holder {
  const text = textOf(path);
  const holder = holderOf(text);
  if (!holder || held.has(path) || !hasEnded(holder)) throw inUse(path, what, holder);
  // Two may find it at once: the one that moved away another lock than the one it read puts it back.
  const moved = `${path}.${process.pid}`;
  try {
    renameSync(path, moved);
    if (textOf(moved) !== text) linkSync(moved, path);
    rmSync(moved, { force: true });
  } catch {
    rmSync(moved, { force: true });
  }
  if (!take(path, what)) throw inUse(path, what, holderOf(textOf(path)));
  return holder;
}

function inUse(path: string, what: string, holder: Holder | undefined): IoError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
  return new IoError('locked', what, `${who} writes it`, `wait for its end; if it has ended, remove ${path}`);
}

function hasEnded({ pid, host }: Holder): boolean {
  if (host !== hostname()) return false; // who can say
  if (pid === process.pid) return true; // ours is not: one of an earlier start, as in a container, where all are process 1
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, host } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 0 && typeof host === 'string' ? { pid, host } : undefined;
  } catch {
    return undefined;
  }
}
