import { embeddingCases } from '../catalogue/embedding.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('embedding', embeddingCases);
