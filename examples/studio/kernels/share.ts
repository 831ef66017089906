import { type Line, parseResults, type Results } from '../../../bench/results.ts';

/** What of a line is shown, and so what a link carries. */
const SHOWN = [
  'suite',
  'case',
  'ms',
  'p10',
  'p90',
  'kernel',
  'variant',
  'tflops',
  'gbps',
  'ofRoofline',
  'maxRelErr',
  'error',
];

/** Results as the lines of JSON that `ucgm bench --json` writes; `--compare` takes them. */
export function resultsText({ environment, cases }: Results): string {
  return [...(environment ? [environment] : []), ...cases.values()].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Results in the part of a link that no server sees. */
export async function shareLink(page: string, { environment, cases }: Results): Promise<string> {
  const lines = [...cases.values()].map(
    (line) => Object.fromEntries(SHOWN.map((name) => [name, short(line[name])])) as unknown as Line,
  );
  const text = resultsText({ environment, cases: new Map(lines.map((line) => [line.case, line])) });
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream('deflate-raw'));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return `${page}#r=${base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`;
}

/** The results in a link; undefined where it carries none. @throws ResultsError, or TypeError, for a link that was cut off. */
export async function sharedResults(link: string): Promise<Results | undefined> {
  const packed = /#r=([\w-]+)/.exec(link)?.[1];
  if (packed === undefined) return undefined;
  const binary = atob(packed.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const text = new TextDecoder().decode(await through(bytes, new DecompressionStream('deflate-raw')));
  return parseResults(text, 'the link');
}

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

const short = (value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
