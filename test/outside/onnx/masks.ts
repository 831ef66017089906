/**
 * Masks for an attention kernel that has none: rows of a mask become columns of a head. Query i holds 1 in the column of its
 * row, key j holds that row's number for it over the scale, so the score gains the number exactly.
 */
import { type HostTensor, need } from '../case.ts';

/** What stands for minus infinity: its exponential is 0, and 0 times it is 0. */
const NEVER = -1e30;

export interface Masks {
  readonly shape: readonly [batch: number, heads: number, queries: number, keys: number];
  /** No score changes. */
  readonly none: boolean;
  /** What is added to the score of a query and a key. */
  at(b: number, h: number, i: number, j: number): number;
}

export function maskOf(o: {
  shape: readonly [number, number, number, number];
  mask: HostTensor | undefined;
  causal: boolean;
  /** For each sample, keys before query 0's own. */
  offsets: readonly number[];
  /** For each sample, how many keys are valid. */
  valid: readonly number[] | undefined;
}): Masks {
  const { shape, mask, causal, offsets, valid } = o;
  const given = mask && readMask(mask, shape);
  return {
    shape,
    none: !given && !causal && !valid,
    at: (b, h, i, j) => {
      const hidden = (causal && j > i + (offsets[b] as number)) || (valid && j >= (valid[b] as number));
      return hidden ? NEVER : (given?.(b, h, i, j) ?? 0);
    },
  };
}

function readMask({ type, shape, data }: HostTensor, [, , queries]: Masks['shape']): Masks['at'] {
  need(shape.length >= 2 && shape.length <= 4, `a mask [${shape}]`);
  need(type === 'bool' || type === 'float32', `a mask of type ${type}`);
  const sizes = [...Array(4 - shape.length).fill(1), ...shape] as [number, number, number, number];
  const [batches, heads, rows, columns] = sizes;
  need(rows === queries || rows === 1, `a mask [${shape}] of ${queries} queries`);
  return (b, h, i, j) => {
    if (j >= columns && columns > 1) return NEVER; // a mask that is too short hides the keys past it
    const at = (size: number, index: number) => (size === 1 ? 0 : index);
    const row = (at(batches, b) * heads + at(heads, h)) * rows + at(rows, i);
    const value = Number(data[row * columns + at(columns, j)]);
    return type === 'bool' ? (value ? 0 : NEVER) : Math.max(value, NEVER);
  };
}

/** The columns of n queries and n keys that carry the masks, [batch, heads, n, columns] each. */
export function withMasks(
  masks: Masks,
  n: number,
  scale: number,
): { queryColumns: Float32Array; keyColumns: Float32Array; columns: number } {
  const [batch, heads, queries, keys] = masks.shape;
  const kinds: { rows: number[][]; kindOf: number[] }[] = [];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const rows: number[][] = [];
      const kindOf = Array.from({ length: queries }, (_, i) => {
        const row = Array.from({ length: n }, (_, j) => (j < keys ? masks.at(b, h, i, j) : NEVER));
        need(
          row.some((v) => v > NEVER),
          'rows without a key give 0',
        );
        if (row.every((v) => v === 0)) return -1;
        const known = rows.findIndex((r) => r.every((v, j) => v === row[j]));
        return known >= 0 ? known : rows.push(row) - 1;
      });
      kinds.push({ rows, kindOf });
    }
  }
  const columns = Math.max(0, ...kinds.map(({ rows }) => rows.length));
  const queryColumns = new Float32Array(batch * heads * n * columns);
  const keyColumns = new Float32Array(batch * heads * n * columns);
  kinds.forEach(({ rows, kindOf }, head) => {
    kindOf.forEach((kind, i) => {
      if (kind >= 0) queryColumns[(head * n + i) * columns + kind] = 1;
    });
    rows.forEach((row, kind) => {
      row.forEach((value, j) => void (keyColumns[(head * n + j) * columns + kind] = value / scale));
    });
  });
  return { queryColumns, keyColumns, columns };
}
