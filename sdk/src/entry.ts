/** An event in the queue. */
export interface Entry {
  readonly id: string;
  /** The event's JSON, as the gateway stores it. */
  readonly json: string;
  /** Size of the JSON in UTF-8, and of its part of the envelope. */
  readonly bytes: number;
}

/** Checks a stored value: an older version may have written it, or the disk may have damaged it. */
export const isEntry = (value: unknown): value is Entry => {
  const { id, json, bytes } = Object(value) as Record<string, unknown>;
  return (
    typeof id === "string" && /^[\w-]+$/.test(id) && typeof json === "string" && typeof bytes === "number"
  );
};
