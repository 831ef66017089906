/** Times at which a network's velocity is compared with the path's. */
export const TIMES = [0.1, 0.3, 0.5, 0.7, 0.9] as const;
