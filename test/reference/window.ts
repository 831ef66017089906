/** A window over channel-last images; as the kernels' dims, without the output sizes. */
export interface WindowSizes {
  batch: number;
  height: number;
  width: number;
  channels: number;
  kernel_h: number;
  kernel_w: number;
  stride: number;
  pad_h: number;
  pad_w: number;
}

/** One place of one window: its output pixel, its place in the window, and the pixel of x there (-1 in the padding). */
interface Place {
  window: number;
  inside: number;
  pixel: number;
}

/** Every place of every window, windows in the order of the outputs. */
export function* places(o: WindowSizes): Generator<Place> {
  const across = Math.floor((o.width + 2 * o.pad_w - o.kernel_w) / o.stride) + 1;
  const down = Math.floor((o.height + 2 * o.pad_h - o.kernel_h) / o.stride) + 1;
  for (let window = 0; window < o.batch * down * across; window++) {
    const b = Math.floor(window / (down * across));
    const top = (Math.floor(window / across) % down) * o.stride - o.pad_h;
    const left = (window % across) * o.stride - o.pad_w;
    for (let inside = 0; inside < o.kernel_h * o.kernel_w; inside++) {
      const y = top + Math.floor(inside / o.kernel_w);
      const x = left + (inside % o.kernel_w);
      const outside = y < 0 || x < 0 || y >= o.height || x >= o.width;
      yield { window, inside, pixel: outside ? -1 : (b * o.height + y) * o.width + x };
    }
  }
}

/** Windows as rows [windows, kernel_h kernel_w channels] of x [batch, height, width, channels]. */
export function unfolded(x: ArrayLike<number>, o: WindowSizes): Float64Array {
  const rows: number[] = [];
  for (const { pixel } of places(o))
    for (let c = 0; c < o.channels; c++) rows.push(pixel < 0 ? 0 : (x[pixel * o.channels + c] as number));
  return Float64Array.from(rows);
}

/** The transpose of `unfolded`: rows added up where their pixels lie, [batch, height, width, channels]. */
export function folded(rows: ArrayLike<number>, o: WindowSizes): Float64Array {
  const x = new Float64Array(o.batch * o.height * o.width * o.channels);
  let at = 0;
  for (const { pixel } of places(o)) {
    for (let c = 0; c < o.channels; c++, at++)
      if (pixel >= 0) x[pixel * o.channels + c] = (x[pixel * o.channels + c] as number) + (rows[at] as number);
  }
  return x;
}

/** Largest or mean of each window, padding left out, [windows, channels]; and with dy its gradient by x. */
export function pooled(x: ArrayLike<number>, o: WindowSizes, kind: 'max' | 'mean', dy?: ArrayLike<number>) {
  const windows: number[][] = [];
  for (const { window, pixel } of places(o)) {
    windows[window] ??= [];
    if (pixel >= 0) (windows[window] as number[]).push(pixel);
  }
  const y = new Float64Array(windows.length * o.channels);
  const dx = new Float64Array(o.batch * o.height * o.width * o.channels);
  windows.forEach((pixels, w) => {
    for (let c = 0; c < o.channels; c++) {
      const at = pixels.map((pixel) => pixel * o.channels + c);
      const values = at.map((i) => x[i] as number);
      const up = dy?.[w * o.channels + c] ?? 0;
      if (kind === 'mean') {
        y[w * o.channels + c] = values.reduce((sum, v) => sum + v, 0) / values.length;
        for (const i of at) dx[i] = (dx[i] as number) + up / values.length;
      } else {
        const best = values.reduce((top, v) => Math.max(top, v), Number.NEGATIVE_INFINITY);
        y[w * o.channels + c] = best;
        const i = at[values.indexOf(best)] as number;
        dx[i] = (dx[i] as number) + up;
      }
    }
  });
  return { y, dx };
}
