import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { IoError } from '../../src/io/errors.ts';

/** An empty folder for each test of a file, removed after it. */
export function useFolder(): (...parts: string[]) => string {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ucgm-io-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return (...parts) => join(folder, ...parts);
}

/** Runs something that must throw an IoError on one line, and returns the error. */
export function failure(run: () => unknown): IoError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(IoError);
    expect((error as IoError).message).toMatch(/^.+: .+\. Fix: .+$/);
    return error as IoError;
  }
  throw new Error('nothing was thrown');
}
