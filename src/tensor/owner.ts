/** Who owns a buffer, declared at its birth. */
export type Owner = 'parameter' | 'gradient' | 'optimizer' | 'average' | 'arena' | 'data' | 'staging';

/** All of them. */
export const OWNERS: readonly Owner[] = ['parameter', 'gradient', 'optimizer', 'average', 'arena', 'data', 'staging'];
