import { escapeHtml, pngUri, section } from './html.ts';
import { shortNumber } from './numbers.ts';

/** A grid of samples as the run wrote it. */
export interface SampledGrid {
  readonly step: number;
  readonly png: Uint8Array;
}

/** One picture: a row for each number of steps, the same noise in each. */
export interface Strip extends SampledGrid {
  /** Sampling steps of the rows, from the top. */
  readonly rows: readonly number[];
}

/** Samples as the training went on. */
export function samplesSection(
  samples: readonly SampledGrid[],
  sampleEvery: number,
  columnNames: readonly string[],
): string {
  if (samples.length === 0) {
    const why = sampleEvery === 0 ? ': train.sample_every is 0' : ` yet: one comes every ${sampleEvery} steps`;
    return section('Samples over time', `<p>None were written${escapeHtml(why)}.</p>`);
  }
  const figures = samples.map(({ step, png }) => {
    const at = `step ${shortNumber(step)}`;
    return `<figure><img alt="Grid of samples at ${at}" src="${pngUri(png)}"><figcaption>${at}</figcaption></figure>`;
  });
  return section('Samples over time', `<div class="grids">\n${figures.join('\n')}\n</div>${columns(columnNames)}`);
}

/** Which class each column is of, where the classes have names. */
function columns(names: readonly string[]): string {
  return names.length === 0 ? '' : `\n<p>Columns, from the left: ${escapeHtml(names.join(', '))}.</p>`;
}

/** The same noise at several numbers of steps. */
export function stripSection(strip: Strip, columnNames: readonly string[]): string {
  const labels = strip.rows.map((steps) => `<span>${steps} ${steps === 1 ? 'step' : 'steps'}</span>`).join('');
  const alt = `Samples of the same noise, a row for each of ${strip.rows.join(', ')} sampling steps`;
  return section(
    'Fewer steps, same noise',
    `<figure>
<div class="strip"><div class="rows" aria-hidden="true">${labels}</div><img alt="${alt}" src="${pngUri(strip.png)}"></div>
<figcaption>Averaged weights of training step ${shortNumber(strip.step)}. A column starts from one noise and has one class; the other sampling settings are the run's.</figcaption>
</figure>${columns(columnNames)}`,
  );
}
