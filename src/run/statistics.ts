/** The mean of numbers. */
export const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** The standard deviation of numbers about their mean, by n - 1; null of fewer than two. */
export function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
}

/** Where the least-squares line through distances, in 1 / images, meets 0: that of endless samples. Null for a single point. */
export function limitOf(points: readonly { readonly images: number; readonly frechet: number }[]): number | null {
  if (points.length < 2) return null;
  const xs = points.map(({ images }) => 1 / images);
  const [meanX, meanY] = [mean(xs), mean(points.map(({ frechet }) => frechet))];
  let [along, across] = [0, 0];
  points.forEach(({ frechet }, i) => {
    const x = (xs[i] as number) - meanX;
    along += x * x;
    across += x * (frechet - meanY);
  });
  return meanY - (across / along) * meanX;
}
