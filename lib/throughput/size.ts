/** How much of a bench is run: all, less of everything, or only whether it runs ('tiny', for tests). */
export type Size = 'full' | 'quick' | 'tiny';

export const SIZES: readonly Size[] = ['full', 'quick', 'tiny'];
