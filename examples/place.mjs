// What differs between a page and Node: where the device comes from, and how a file beside an example is read.
import { requestDevice } from 'ucgm-webgpu';

/** The page's device; in Node Dawn's, of the package webgpu. */
export async function openDevice() {
  if (globalThis.navigator?.gpu) return requestDevice(navigator.gpu);
  const { openNodeDevice } = await import('ucgm-webgpu/node');
  return openNodeDevice();
}

/** The text of a file, by its URL. */
export async function readText(url) {
  if (url.protocol !== 'file:') return (await fetch(url)).text();
  const { readFileSync } = await import('node:fs');
  return readFileSync(url, 'utf8');
}
