/** Environment variables that connectors may refer to (`delivery.configProviders.env`). */

/** undefined: the variable is not set. */
export const environmentVariable = (name: string): string | undefined => process.env[name];
