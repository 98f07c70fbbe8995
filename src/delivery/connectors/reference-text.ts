/** References to configuration providers in a text: `${env:NAME}`, `${file:/path:key}`, `${directory:/dir:file}`. */

export interface Reference {
  /** As it was written. */
  readonly text: string;
  readonly provider: string;
  /** A file or a directory. undefined: the reference has only a key. */
  readonly path: string | undefined;
  readonly key: string;
}

/** Without a colon it is a template. */
const REFERENCE = /\$\{([^:{}]*):(?:([^{}]*):)?([^:{}]*)\}/g;

export const referencesIn = (text: string): readonly Reference[] =>
  [...text.matchAll(REFERENCE)].map(([whole, provider = "", path, key = ""]) => ({
    ...{ text: whole, provider, path, key },
  }));

export const hasReferences = (text: string): boolean => text.includes("${") && referencesIn(text).length > 0;

/** Replaces each reference. A replacement is not searched for references. */
export const replaceReferences = (text: string, valueOf: (reference: string) => string): string =>
  text.includes("${") ? text.replaceAll(REFERENCE, (whole) => valueOf(whole)) : text;

/** No reference and no credential looks like this. HTTP allows it in a header. */
const STAND_IN = /\u00b7reference-(\d+)\u00b7/g;

/** Hides references while a text is parsed or masked, because they contain characters that separate its parts. */
export const createHiding = () => {
  const hidden: string[] = [];
  return {
    hide: (text: string): string =>
      replaceReferences(text, (reference) => `\u00b7reference-${hidden.push(reference) - 1}\u00b7`),
    show: (text: string): string => text.replace(STAND_IN, (whole, index) => hidden[Number(index)] ?? whole),
    /** The hidden text has nothing but references, and a scheme such as Bearer before them. */
    isPlain: (text: string): boolean => /^(?:[A-Za-z]+ )?(?:\u00b7reference-\d+\u00b7)+$/.test(text),
  };
};
