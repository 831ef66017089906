import { matmulCases } from '../catalogue/matmul.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('matmul', matmulCases);
