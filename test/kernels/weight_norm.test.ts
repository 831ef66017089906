import { weightNormCases } from '../catalogue/weight_norm.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('weight norm', weightNormCases);
