import { launchOf } from '../../src/parallel/launcher.node.ts';
import { loadMpi } from '../../src/parallel/mpi_library.node.ts';
import { CHANNEL_BYTES, SharedChannel } from '../../src/parallel/shared_channel.ts';

/** Sends messages of many slots between two ends in this process, copied by other threads. @returns bytes that came wrong. */
export async function copiedElsewhere(): Promise<number> {
  const launch = launchOf(process.env);
  if (!launch) throw new Error('no launcher started this process');
  const { copies } = await loadMpi(launch);
  const memory = [0, 1].map(() => new Uint8Array(CHANNEL_BYTES));
  const ends = memory.map((_, rank) => new SharedChannel(rank, memory, true, copies.elsewhere));
  const sent = ends.map((_, rank) => Uint8Array.from({ length: 9_000_001 }, (_, i) => (rank * 83 + i * 13) % 251));
  let wrong = 0;
  for (let round = 0; round < 3; round++) {
    const received = sent.map(({ length }) => new Uint8Array(2 * length));
    const all = ends.map((end, rank) =>
      end.start(sent[rank] as Uint8Array<ArrayBuffer>, received[rank] as Uint8Array<ArrayBuffer>),
    );
    while (ends.some((end) => !end.idle)) {
      for (const end of ends) end.advance();
      await new Promise((turn) => setImmediate(turn));
    }
    await Promise.all(all);
    for (const bytes of received)
      sent.forEach((of, rank) => {
        of.forEach((byte, i) => {
          if (bytes[rank * of.length + i] !== byte) wrong++;
        });
      });
  }
  return wrong;
}
