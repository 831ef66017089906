import { attentions } from './attention.ts';
import type { Adapters } from './context.ts';
import { elementwise } from './elementwise.ts';
import { optimizer } from './optimizer.ts';
import { products } from './products.ts';
import { shape } from './shape.ts';
import { windows } from './windows.ts';

/** The operators that our kernels express, some of their cases at least. */
export const ONNX: Adapters = { ...elementwise, ...shape, ...products, ...windows, ...attentions, ...optimizer };
