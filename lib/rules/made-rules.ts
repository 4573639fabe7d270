/** Rules that need data of the user's, by name: no Mixer can make them from it alone. How they are made. */
export const madeRules: Readonly<Record<string, string>> = {
  proportional: 'proportional({ sizes })',
  temperature: 'temperature({ sizes, temperature })',
  doremi: 'doremi({ referenceLosses })',
};
