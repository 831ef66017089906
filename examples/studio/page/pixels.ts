import type { Picture } from '../../../src/io/png.ts';

/**
 * Shows a picture on a canvas, one canvas pixel a pixel. Grey ones become ink on paper: black, as opaque as the value is high; the style
 * sheet turns the ink white in a dark page.
 */
export function showPicture(canvas: HTMLCanvasElement, { width, height, channels, data }: Picture): void {
  canvas.width = width;
  canvas.height = height;
  canvas.classList.toggle('ink', channels === 1);
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    if (channels === 1) image.data[4 * i + 3] = data[i] as number;
    else {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = data[3 * i + c] as number;
      image.data[4 * i + 3] = 255;
    }
  }
  canvas.getContext('2d')?.putImageData(image, 0, 0);
}
