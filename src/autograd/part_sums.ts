import { sumParts, tilesOfParts } from '../kernels/reduce.ts';
import { bytesOf, firstOf, Storage, Tensor, type Workspace } from '../tensor/index.ts';

/** Elements that wait for their sums at most, 32 MiB, which a GPU's last cache holds; and for each element of the gradients' buffer. */
const [MOST, EACH] = [2 ** 23, 4];
/** On CPU adapters, where products are not split and only norms have parts. */
const MOST_OF_SOFTWARE = 2 ** 16;
/** Bindings begin at multiples of 64 elements. */
const ALIGN = 64;

const aligned = (elements: number) => Math.ceil(elements / ALIGN) * ALIGN;
const fours = (elements: number) => Math.ceil(elements / 4) * 4;

/** A gradient that is the sum of so many parts. */
export interface InParts {
  /** In a flat buffer: it begins at a multiple of 64 elements, and zeros may follow it. */
  readonly to: Tensor;
  readonly parts: number;
}

interface Waiting extends InParts {
  /** Where the parts begin. */
  readonly begin: number;
}

/**
 * Sums of gradients that were made in parts, put off so that one dispatch makes those of several tensors. The parts lie one after the
 * other in one step tensor; where it has no room for more, what waits is summed.
 */
export class PartSums {
  readonly #workspace: Workspace;
  readonly #most: number;
  #room: Tensor | undefined;
  #used = 0;
  #waiting: Waiting[] = [];

  /** @param most elements that wait at most. */
  constructor(workspace: Workspace, most: number = workspace.caps.software ? MOST_OF_SOFTWARE : MOST) {
    this.#workspace = workspace;
    this.#most = most;
  }

  /** `write` fills the parts of each gradient, f32 [parts, ...shape]; their sums come with the next `finish` at the latest. */
  add(gradients: readonly InParts[], write: (parts: Tensor[]) => void): void {
    const all = gradients.reduce((sum, { to, parts }) => sum + aligned(parts * to.count), 0);
    if (this.#room && this.#used + all > this.#room.count) this.finish();
    const usual = Math.min(this.#most, EACH * firstOf(gradients[0]?.to.buffer.size ?? 0));
    const room = (this.#room ??= this.#workspace.arena.alloc([Math.max(all, usual)]));
    const parts = gradients.map(({ to, parts }) => {
      const begin = this.#used;
      this.#used += aligned(parts * to.count);
      this.#waiting.push({ to, parts, begin });
      return room.slice(begin, parts, ...to.shape);
    });
    write(parts);
  }

  /** True where a gradient waits for its sum. */
  awaits({ buffer, offset }: Tensor): boolean {
    return this.#waiting.some(({ to }) => to.buffer === buffer && to.offset === offset);
  }

  /** Makes the sums that wait, by a dispatch a flat buffer. */
  finish(): void {
    const { arena } = this.#workspace;
    if (!this.#room) return;
    for (const buffer of new Set(this.#waiting.map(({ to }) => to.buffer)))
      this.#sum(
        this.#room,
        this.#waiting.filter(({ to }) => to.buffer === buffer),
        buffer,
      );
    arena.release(this.#room);
    this.#room = undefined;
    this.#used = 0;
    this.#waiting = [];
  }

  /** Sums what waits for places of one buffer; of that only the range is bound that they lie in. */
  #sum(room: Tensor, waiting: readonly Waiting[], buffer: GPUBuffer): void {
    const { device, stream, tables } = this.#workspace;
    const from = Math.min(...waiting.map(({ to }) => to.offset));
    const end = Math.max(...waiting.map(({ to }) => to.offset + bytesOf('f32', fours(to.count))));
    const kernel = sumParts.prepare(device);
    const matrices = waiting.map(({ to, parts, begin }) => ({
      begin,
      place: firstOf(to.offset - from),
      rows: parts,
      cols: to.count,
    }));
    const tiles = tilesOfParts(matrices, kernel.knobs);
    const x = room.slice(0, this.#used);
    const out = new Tensor([firstOf(end - from)], new Storage(buffer, from, end - from));
    const dims = { tiles: tiles.length / 5, x_size: x.count, out_size: out.count };
    stream.run(kernel, { x, tiles: tables.of(tiles), out }, dims);
  }
}
