/** An event on its way. */
export interface Entry {
  readonly id: string;
  /** The event's JSON, as it will be stored. */
  readonly json: string;
  /** Of the JSON in UTF-8. */
  readonly bytes: number;
}

/** What the browser has kept may be anything: an older program wrote it, or the disk lost a part of it. */
export const isEntry = (value: unknown): value is Entry => {
  const { id, json, bytes } = Object(value) as Record<string, unknown>;
  return (
    typeof id === "string" && /^[\w-]+$/.test(id) && typeof json === "string" && typeof bytes === "number"
  );
};
