import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { imageFormat, type ReadFormat } from './image_format.ts';
import { LeftOut } from './left_out.ts';

/** A file that holds an image by its first bytes. */
export interface ImageFile {
  /** As bytes: names need not be UTF-8. */
  readonly path: Buffer;
  readonly format: ReadFormat;
}

/** Image files by class, and what lies there but is none of them. */
export interface ImageTree {
  /** In order of name; one without a name for a flat folder. */
  readonly classes: readonly { readonly name: string; readonly files: readonly ImageFile[] }[];
  readonly leftOut: LeftOut;
}

interface Item {
  readonly name: string;
  readonly path: Buffer;
  readonly isFolder: boolean;
  /** Of the file or folder, links followed. */
  readonly identity: string;
}

/** What systems and tools leave behind, beside all that begins with a dot. */
const LITTER = /^(\.|__MACOSX$|Thumbs\.db$|desktop\.ini$)/i;

/**
 * The images of a folder: one class for each folder in it, with all folders below; or, where there are no class folders, the
 * files in it as one class. Links are followed, what is hidden is left out, and the contents say what a file is. In order of
 * class, then path, by code units.
 */
export function imageTree(root: string): ImageTree {
  const leftOut = new LeftOut();
  const top = itemsOf(Buffer.from(root), leftOut);
  const folders = top.filter((item) => item.isFolder);
  const files = top.filter((item) => !item.isFolder);
  const classes: { name: string; files: ImageFile[] }[] = [];
  for (const folder of folders) {
    const found: ImageFile[] = [];
    collect(folder, [identityOf(Buffer.from(root))], found, leftOut);
    if (found.length > 0) classes.push({ name: folder.name, files: found });
    else leftOut.add('folders without images', folder.name);
  }
  const beside = files.flatMap((file) => imageOf(file, leftOut) ?? []);
  if (classes.length === 0 && beside.length > 0) return { classes: [{ name: 'all', files: beside }], leftOut };
  for (const { path } of beside) leftOut.add('images beside the class folders', path.toString());
  return { classes, leftOut };
}

function collect(folder: Item, above: readonly string[], out: ImageFile[], leftOut: LeftOut): void {
  const here = [...above, folder.identity];
  if (above.includes(folder.identity)) {
    leftOut.add('links that lead back', folder.path.toString());
    return;
  }
  for (const item of itemsOf(folder.path, leftOut)) {
    if (item.isFolder) collect(item, here, out, leftOut);
    else out.push(...(imageOf(item, leftOut) ?? []));
  }
}

function itemsOf(folder: Buffer, leftOut: LeftOut): Item[] {
  let names: Buffer[];
  try {
    names = readdirSync(folder, { encoding: 'buffer' }) as unknown as Buffer[];
  } catch {
    leftOut.add('unreadable folders', folder.toString());
    return [];
  }
  const items: Item[] = [];
  for (const bytes of names) {
    const name = bytes.toString();
    const path = Buffer.concat([folder, Buffer.from('/'), bytes]);
    if (LITTER.test(name)) {
      leftOut.add('hidden files and folders', path.toString());
      continue;
    }
    try {
      const stat = statSync(path);
      if (stat.isDirectory() || stat.isFile())
        items.push({ name, path, isFolder: stat.isDirectory(), identity: `${stat.dev}:${stat.ino}` });
      else leftOut.add('files of no data', path.toString());
    } catch {
      leftOut.add('broken links', path.toString());
    }
  }
  return items.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : Buffer.compare(a.path, b.path)));
}

function identityOf(path: Buffer): string {
  const { dev, ino } = statSync(path);
  return `${dev}:${ino}`;
}

function imageOf({ path, name }: Item, leftOut: LeftOut): ImageFile[] | undefined {
  const head = new Uint8Array(16);
  let length: number;
  try {
    const file = openSync(path, 'r');
    try {
      length = readSync(file, head);
    } finally {
      closeSync(file);
    }
  } catch {
    leftOut.add('unreadable files', path.toString());
    return undefined;
  }
  if (length === 0) leftOut.add('empty files', path.toString());
  const format = imageFormat(head);
  if (format === 'PNG' || format === 'JPEG' || format === 'WebP') return [{ path, format }];
  if (length > 0) leftOut.add(`${format ?? /\.[^.]+$/.exec(name)?.[0] ?? 'nameless'} files`, path.toString());
  return undefined;
}
