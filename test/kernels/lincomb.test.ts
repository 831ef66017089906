import { lincombCases } from '../catalogue/lincomb.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('lincomb', lincombCases);
