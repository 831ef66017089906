import type { Communicator } from './communicator.ts';
import type { Lane, LaneUse, Submit, Turn, Work } from './lane.ts';
import { type Piece, wireBytes } from './pieces.ts';
import { largestPart, ScatterKernels } from './scatter_kernels.ts';
import { copyAll, type Range, Staging } from './staging.ts';

/**
 * A reduce-scatter and an allgather: each rank makes the sum of one part of a piece, which stays on its device, before it and after.
 */
export class ScatterLane implements Lane {
  readonly #ranks: Communicator;
  readonly #submit: Submit;
  readonly #kernels: ScatterKernels;
  readonly #send: Staging;
  readonly #receive: Staging;
  readonly #own: Staging;
  readonly #gather: Staging;

  constructor(use: LaneUse) {
    const { workspace, ranks, submit, pieces, name } = use;
    const largest = largestPart(pieces);
    this.#ranks = ranks;
    this.#submit = submit;
    this.#kernels = new ScatterKernels(use);
    this.#send = new Staging(workspace, `sent ${name}`, ranks.size * largest, 'out');
    this.#receive = new Staging(workspace, `received ${name}`, ranks.size * largest, 'into');
    this.#own = new Staging(workspace, `own ${name}`, largest, 'out');
    this.#gather = new Staging(workspace, `gathered ${name}`, ranks.size * largest, 'into');
  }

  /** Resolves when its kernels are compiled. */
  static readonly compiled = ScatterKernels.compiled;

  async exchange(piece: Piece, scatter: Turn, gather: Turn): Promise<void> {
    const part = wireBytes(piece.wire, piece.part);
    const all = part * this.#ranks.size;
    const mapped = ({ buffer }: Staging, size: number) => this.#ranks.mapped(buffer, size);

    await this.#submit(this.#sending(piece));
    this.#send.map();
    await Promise.all([this.#send.mapped, this.#receive.mapped]);
    await scatter(async () => {
      await this.#ranks.alltoall(mapped(this.#send, all), mapped(this.#receive, all), false);
      this.#send.unmap();
      this.#receive.unmap();
    });

    await this.#submit(this.#summing(piece));
    this.#receive.map();
    this.#own.map();
    await Promise.all([this.#own.mapped, this.#gather.mapped]);
    await gather(async () => {
      await this.#ranks.allgather(mapped(this.#own, part), mapped(this.#gather, all), false);
      this.#own.unmap();
      this.#gather.unmap();
    });

    await this.#submit(this.#placing(piece));
    this.#gather.map();
  }

  free(): void {
    this.#kernels.free();
    for (const staging of [this.#send, this.#receive, this.#own, this.#gather]) staging.free();
  }

  /** The piece's numbers, as they are when this is reached: those for the other ranks. */
  #sending(piece: Piece): Work {
    const place = this.#kernels.sourceOf(piece);
    return {
      dispatches: [this.#kernels.of(piece).pack],
      after: (encoder) => copyAll(encoder, place, { buffer: this.#send.buffer, at: 0 }, this.#partsOf(piece).others),
    };
  }

  /** The sum over all ranks of this rank's part. */
  #summing(piece: Piece): Work {
    const { rank, size } = this.#ranks;
    const bytes = wireBytes(piece.wire, piece.part);
    const received = { buffer: this.#kernels.received, at: 0 };
    return {
      before: (encoder) => {
        copyAll(encoder, { buffer: this.#receive.buffer, at: 0 }, received, [
          [0, rank * bytes],
          [(rank + 1) * bytes, size * bytes],
        ]);
        copyAll(encoder, this.#kernels.sourceOf(piece), received, [this.#partsOf(piece).own]);
      },
      dispatches: [this.#kernels.of(piece).sum],
      after: (encoder) => encoder.copyBufferToBuffer(this.#kernels.summed, 0, this.#own.buffer, 0, bytes),
    };
  }

  /** The other ranks' parts of the sum, and this rank's, to the piece's place. */
  #placing(piece: Piece): Work {
    const { others, own } = this.#partsOf(piece);
    const place = this.#kernels.sourceOf(piece);
    const summed = { buffer: this.#kernels.summed, at: -this.#ranks.rank * wireBytes(piece.wire, piece.part) };
    return {
      before: (encoder) => {
        copyAll(encoder, { buffer: this.#gather.buffer, at: 0 }, place, others);
        copyAll(encoder, summed, place, [own]);
      },
      dispatches: [this.#kernels.of(piece).unpack],
    };
  }

  /** The bytes of a piece of which this rank makes the sum, and all else. */
  #partsOf({ wire, count, part }: Piece): { readonly own: Range; readonly others: readonly Range[] } {
    const [all, each] = [wireBytes(wire, count), wireBytes(wire, part)];
    const [first, end] = [0, 1].map((next) => Math.min(all, (this.#ranks.rank + next) * each)) as [number, number];
    return {
      own: [first, end],
      others: [
        [0, first],
        [end, all],
      ],
    };
  }
}
