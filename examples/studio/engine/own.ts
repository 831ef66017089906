/** The name under which a person's own pictures are chosen. */
export const OWN = 'own';
