import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { temporaryName } from '../io/atomic.node.ts';
import { systemReason } from '../io/errors.ts';
import { UsageError } from './failure.ts';

/** What is at a path; undefined where there is nothing, or where a file stands for one of its folders. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** The path with its links followed, as far as it exists. */
function real(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const above = dirname(absolute);
    return above === absolute ? absolute : join(real(above), relative(above, absolute));
  }
}

/** True where two paths name one place, links followed. */
const isSame = (a: string, b: string): boolean => real(a) === real(b);

/** True where `inner` lies in the folder `outer`, or is it. */
function isInside(inner: string, outer: string): boolean {
  const way = relative(real(outer), real(inner));
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || resolve(way) === way);
}

/** What is to be written, by the option that names it. */
export interface Output {
  /** Such as `--grid`. */
  readonly flag: string;
  readonly path: string;
  /** What the name must end in, such as `.png`. */
  readonly extension: string;
}

/**
 * Makes sure, before the work, that files can be written: right names, no folders in their place, two names, none of them the
 * input's; their folders are made.
 * @param input the file that is read, which none may replace.
 * @throws UsageError.
 */
export function prepareFiles(outputs: readonly Output[], input?: string): void {
  for (const [i, { flag, path, extension }] of outputs.entries()) {
    if (extname(path).toLowerCase() !== extension)
      throw new UsageError(
        `${flag} ${path} is no name of a ${extension} file`,
        `give a name that ends in ${extension}`,
      );
    if (statOf(path)?.isDirectory()) throw new UsageError(`${flag} ${path} is a folder`, 'name a file');
    if (input !== undefined && isSame(path, input))
      throw new UsageError(`${flag} ${path} is the file that is read`, 'give another name');
    const twin = outputs.slice(0, i).find((other) => isSame(path, other.path));
    if (twin) throw new UsageError(`${twin.flag} and ${flag} are one file, ${path}`, 'give two names');
  }
  for (const { flag, path } of outputs) {
    const probe = temporaryName(path);
    try {
      mkdirSync(dirname(path), { recursive: true });
      closeSync(openSync(probe, 'w'));
      rmSync(probe);
    } catch (error) {
      throw new UsageError(
        `${flag} ${path} cannot be written (${systemReason(error)})`,
        'give a file in a folder that can be made and written',
      );
    }
  }
}

/** Makes sure that a folder can be made or written, and makes nothing. @throws UsageError. */
export function checkFolder(flag: string, path: string): void {
  let above = resolve(path);
  while (!statOf(above) && dirname(above) !== above) above = dirname(above);
  const fix = 'give a folder that can be made and written';
  if (!statOf(above)?.isDirectory()) throw new UsageError(`${flag} ${path}: ${above} is no folder`, fix);
  try {
    rmdirSync(mkdtempSync(join(above, '.ucgm-')));
  } catch (error) {
    throw new UsageError(`${flag} ${path} cannot be written (${systemReason(error)})`, fix);
  }
}

/** A folder for many files: one that is new or empty, so that nothing in it is replaced or mixed. @throws UsageError. */
export function checkEmptyFolder(flag: string, path: string): void {
  checkFolder(flag, path);
  const entries = statOf(path) ? readdirSync(path).length : 0;
  if (entries > 0)
    throw new UsageError(`${flag} ${path} holds ${entries} entries`, 'give a folder that is new or empty');
}

/**
 * A folder to write lies apart from the data: in it, what is written would become data, and the other way round.
 * @param data a folder, or a name that is none.
 * @throws UsageError.
 */
export function checkApart(flag: string, path: string, data: string): void {
  if (!statOf(data)?.isDirectory()) return;
  if (isInside(path, data))
    throw new UsageError(
      `${flag} ${path} is inside the data ${data}`,
      'give a folder beside the data: what is written there would become data',
    );
  if (isInside(data, path))
    throw new UsageError(`the data ${data} is inside ${flag} ${path}`, 'give a folder beside the data');
}
