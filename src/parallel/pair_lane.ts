import type { Communicator } from './communicator.ts';
import { type Lane, LaneKernels, type LaneUse, largestPart, type Submit, type Turn } from './lane.ts';
import { type Piece, wireBytes } from './pieces.ts';
import { Staging } from './staging.ts';

/**
 * Of two ranks each sends the other all, and both make the whole sum, of the same numbers in the same order: as many bytes as a
 * reduce-scatter and an allgather between two take, in one message, which waits for the device once.
 */
export class PairLane implements Lane {
  readonly #ranks: Communicator;
  readonly #submit: Submit;
  readonly #kernels: LaneKernels;
  readonly #send: Staging;
  readonly #receive: Staging;

  constructor(use: LaneUse) {
    const { workspace, ranks, submit, pieces, name } = use;
    const largest = 2 * largestPart(pieces);
    this.#ranks = ranks;
    this.#submit = submit;
    this.#kernels = new LaneKernels(use, 2);
    this.#send = new Staging(workspace, `sent ${name}`, largest, 'out');
    this.#receive = new Staging(workspace, `received ${name}`, largest, 'into');
  }

  async exchange(piece: Piece, _: Turn, gather: Turn): Promise<void> {
    const { rank } = this.#ranks;
    const whole = 2 * wireBytes(piece.wire, piece.part);
    const bytes = wireBytes(piece.wire, piece.count);
    const { buffer, at } = this.#kernels.sourceOf(piece);

    const { pack, sum, unpack } = this.#kernels.of(piece);
    await this.#submit({
      dispatches: [pack],
      after: (encoder) => encoder.copyBufferToBuffer(buffer, at, this.#send.buffer, 0, bytes),
    });
    this.#send.map();
    await Promise.all([this.#send.mapped, this.#receive.mapped]);
    await gather(async () => {
      const mapped = ({ buffer }: Staging) => this.#ranks.mapped(buffer, bytes);
      await this.#ranks.swap(mapped(this.#send), mapped(this.#receive));
      this.#send.unmap();
      this.#receive.unmap();
    });

    const { received, summed } = this.#kernels;
    await this.#submit({
      before: (encoder) => {
        encoder.copyBufferToBuffer(this.#receive.buffer, 0, received, (1 - rank) * whole, bytes);
        encoder.copyBufferToBuffer(buffer, at, received, rank * whole, bytes);
      },
      dispatches: [sum, unpack],
      ...(!unpack && { after: (encoder) => encoder.copyBufferToBuffer(summed, 0, buffer, at, bytes) }),
    });
    this.#receive.map();
  }

  free(): void {
    this.#kernels.free();
    for (const staging of [this.#send, this.#receive]) staging.free();
  }
}
