/** A fault of a configuration. */
export interface ConfigFault {
  readonly key: string;
  /** One line in the wording of Kafka Connect, without credentials. */
  readonly message: string;
  /** A reference can't be read. This stops the task, but does not refuse the configuration. */
  readonly isUnread?: true;
}
