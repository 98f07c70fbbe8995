/**
 * The defaults of a schema in Avro's binary form. A default may need others, because the default of a record may lack
 * members. A default that does not fit its type counts as none: registries accept such schemas.
 */
import { DataRefused, SchemaUnusable } from "../format.ts";
import { AvroOutput } from "./output.ts";
import type { Write } from "./write.ts";

export interface Defaults {
  /** Adds the default of a field. The result returns the encoded default; undefined: the field has no default. */
  add(fallback: unknown, write: Write): () => Buffer | undefined;
  /** To be called when all writers are complete. */
  encodeAll(): void;
}

/** Maximum bytes of all defaults of a schema. Records of records double their defaults with each level. */
const MAX_BYTES = 1024 * 1024;

export const createDefaults = (): Defaults => {
  const all: (() => Buffer | undefined)[] = [];
  /** A default needs an output of its own while another one needs it, but a schema may have thousands of defaults. */
  const free: AvroOutput[] = [];
  let left = MAX_BYTES;
  let visited = 0;

  const encode = (fallback: unknown, write: Write): Buffer | undefined => {
    const output = free.pop() ?? new AvroOutput(true);
    output.begin(0, left);
    output.visited = visited;
    const fits = write(fallback, output);
    visited = output.visited;
    free.push(output);
    if (!fits) return undefined;
    left -= output.at;
    if (left < 0) throw output.tooLarge();
    return Buffer.from(output.bytes.subarray(0, output.at));
  };

  return {
    add: (fallback, write) => {
      if (fallback === undefined) return () => undefined;
      let encoded: Buffer | undefined;
      let isBegun = false;
      const fallbackOf = (): Buffer | undefined => {
        // A default that needs itself does not fit: it is still undefined then.
        if (!isBegun) {
          isBegun = true;
          encoded = encode(fallback, write);
        }
        return encoded;
      };
      all.push(fallbackOf);
      return fallbackOf;
    },
    encodeAll: () => {
      try {
        for (const fallbackOf of all) fallbackOf();
      } catch (error) {
        if (!(error instanceof DataRefused)) throw error;
        throw new SchemaUnusable(`avro: the defaults have more than ${MAX_BYTES} bytes`);
      }
    },
  };
};
