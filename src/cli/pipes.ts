/** What writing says when nobody reads any more: a pipe that was closed, a terminal that is gone. */
const GONE = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED']);

let endsWithReader: boolean | undefined;

/**
 * Goes on without output where its reader has gone (`ucgm ... | head`, a closed terminal): what a command writes to files is
 * not lost. A command that only prints ends.
 */
export function outliveReaders(onlyPrints: boolean): void {
  const known = endsWithReader !== undefined;
  endsWithReader = onlyPrints;
  if (known) return; // listens already: a process may run several command lines
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!GONE.has(error.code ?? '')) throw error;
      if (endsWithReader) process.exit(0);
    });
  }
}
