import { DataError } from './dataset.ts';

/** The bytes of a file, unpacked where they are gzipped. @throws DataError for what cannot be unpacked. */
export async function gunzipped(bytes: Uint8Array<ArrayBuffer>, where: string): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch (error) {
    throw new DataError(`${where} cannot be unpacked (${(error as Error).message})`, 'download the file again');
  }
}
