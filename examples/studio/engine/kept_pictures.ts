/**
 * A person's own pictures, kept in the browser's files beside the run that is trained on them: after a reload or a crash a page has no
 * files any more that were dropped into it. One file a run: the length of an index as u32, the index as JSON, the pictures.
 */

type Index = readonly (readonly [path: string, bytes: number])[];

const folder = async () =>
  (await navigator.storage.getDirectory()).getDirectoryHandle('ucgm-pictures', { create: true });

/** Keeps the pictures of a run. @throws DOMException where there is no room. */
export async function keepPictures(run: string, files: readonly File[]): Promise<void> {
  const index = new TextEncoder().encode(JSON.stringify(files.map(({ name, size }) => [name, size]) satisfies Index));
  const file = await (await (await folder()).getFileHandle(run, { create: true })).createWritable();
  try {
    await file.write(Uint32Array.of(index.length));
    await file.write(index);
    for (const picture of files) await file.write(picture);
  } catch (error) {
    await file.abort();
    throw error;
  }
  await file.close();
}

/** The pictures of a run; none where none were kept. They are read when they are asked for. */
export async function keptPictures(run: string): Promise<File[]> {
  let kept: File;
  try {
    kept = await (await (await folder()).getFileHandle(run)).getFile();
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return [];
    throw error;
  }
  if (kept.size === 0) return []; // a tab ended while it wrote
  const [length = 0] = new Uint32Array(await kept.slice(0, 4).arrayBuffer());
  const index = JSON.parse(await kept.slice(4, 4 + length).text()) as Index;
  let at = 4 + length;
  return index.map(([path, bytes]) => {
    at += bytes;
    return new File([kept.slice(at - bytes, at)], path);
  });
}

/** Removes the pictures of a run, if there are any. */
export async function forgetPictures(run: string): Promise<void> {
  try {
    await (await folder()).removeEntry(run);
  } catch (error) {
    if ((error as Error).name !== 'NotFoundError') throw error;
  }
}
