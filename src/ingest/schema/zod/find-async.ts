/** Asynchronous checks in a zod schema, found before the first event meets them. */

/** Which functions were written with `async`. A plain function that returns a promise looks like any other. */
const isAsync = (value: unknown): value is (...given: never) => unknown =>
  Object.prototype.toString.call(value) === "[object AsyncFunction]";

/**
 * The name, or the source where it has none, of an async function in the definition of a zod schema, at whatever depth;
 * undefined: there is none. Parts that are made lazily aren't made for this.
 */
export const findAsync = (schema: object): string | undefined => {
  const open: unknown[] = [schema];
  const seen = new Set<unknown>();
  while (open.length > 0) {
    const part = open.pop();
    if (isAsync(part)) return part.name || String(part);
    if (typeof part !== "object" || part === null || seen.has(part)) continue;
    seen.add(part);
    open.push(...partsOf(part));
  }
  return undefined;
};

/** Of a schema or check its definition, without the methods and caches around it; of anything else all that it holds. */
const partsOf = (value: object): unknown[] => {
  if ("_zod" in value) return [(value._zod as { readonly def: unknown }).def];
  return value instanceof Map ? [...value.values()] : Object.values(value);
};
