/** An event on its way. */
export interface Entry {
  readonly id: string;
  /** The event's JSON, as it will be stored. */
  readonly json: string;
  /** Of the JSON in UTF-8. */
  readonly bytes: number;
}
