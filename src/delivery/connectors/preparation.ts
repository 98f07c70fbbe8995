/** What happens to a record before its first attempt: conversion, transformations, filter, tombstones, transform. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import type { Admission, Prepared, PreparedRecord, Preparation } from "../engine/delivery-plan.ts";
import { eventOf } from "../expressions/event.ts";
import type { Expressions } from "../expressions/expressions.ts";
import { convertJson } from "./conversions.ts";
import { afterFailure, type Decoding, decodingStep } from "./decoding.ts";
import type { ConnectorModel } from "./model.ts";
import { transformingStep } from "./transform-step.ts";
import { transformed } from "./transformations.ts";

/** The reason in a dead letter. */
const TOMBSTONE = "tombstone";

const hasSteps = ({ request, conversion, transformations, filter, transform }: ConnectorModel): boolean =>
  "prepare" in request ||
  conversion.kind !== "none" ||
  transformations.length > 0 ||
  filter !== undefined ||
  transform !== undefined;

/** With steps, tombstones are handled after the steps: a value can become null, and a filter can ask for null values. */
export const admissionOf = (model: ConnectorModel): ((record: ConsumedRecord) => Admission) => {
  if (hasSteps(model)) return () => "deliver";
  const { tombstones } = model;
  return ({ value }) => {
    if (value !== null || tombstones === "send") return "deliver";
    return tombstones === "dead-letter" ? { deadLetter: TOMBSTONE } : "skip";
  };
};

const afterTombstones = (record: PreparedRecord, { tombstones }: ConnectorModel): Prepared => {
  if (record.value !== null || tombstones === "send") return { action: "send", record };
  return tombstones === "dead-letter" ? { action: "drop", reason: TOMBSTONE } : { action: "skip" };
};

/** Requests that depend on the record are made after all other steps. */
const withRequests = (steps: Preparation, { request }: ConnectorModel): Preparation => {
  if (!("prepare" in request)) return steps;
  return {
    ready: (record) => steps.ready(record),
    prepare: (record) => {
      const prepared = steps.prepare(record);
      return prepared.action === "send" ? request.prepare(prepared.record) : prepared;
    },
  };
};

const conversionOf = (model: ConnectorModel, decoding: Decoding): Preparation => {
  const { name, conversion } = model;
  if (conversion.kind === "registry") return decodingStep({ name, ...conversion }, decoding);
  return {
    ready: () => undefined,
    prepare: (record) => {
      if (conversion.kind === "none" || record.value === null) return { action: "send", record };
      const converted = convertJson(record.value, {
        withSchemas: conversion.withSchemas,
        keepsStrings: conversion.keepsStrings?.(record.topic) ?? false,
      });
      if ("value" in converted) return { action: "send", record: { ...record, value: converted.value } };
      return afterFailure(
        record,
        conversion.decodeFailure,
        `the value can't be converted: ${converted.reason}`,
      );
    },
  };
};

/** Whether the record is sent. A retry prepares its record again, but the filter is evaluated only once. */
const filterOf = ({ filter }: ConnectorModel, { evaluated }: Expressions) => {
  const passed = new WeakSet<ConsumedRecord>();
  return (record: ConsumedRecord, result: PreparedRecord): boolean => {
    if (filter === undefined || passed.has(record)) return true;
    const outcome = filter(eventOf(result));
    evaluated(outcome);
    if (outcome === "match") passed.add(record);
    return outcome === "match";
  };
};

/**
 * undefined: the connector sends records as they are stored. Throws CONNECTOR_CONFIG_INVALID if the connector needs a registry and
 * the settings name none.
 */
export const preparationOf = (
  model: ConnectorModel,
  decoding: Decoding,
  expressions: Expressions,
): Preparation | undefined => {
  if (!hasSteps(model)) return undefined;
  const conversion = conversionOf(model, decoding);
  const passes = filterOf(model, expressions);
  const steps: Preparation = {
    ready: (record) => conversion.ready(record),
    prepare: (record) => {
      const converted = conversion.prepare(record);
      if (converted.action !== "send") return converted;
      const result = transformed(converted.record, model.transformations);
      return result === undefined || !passes(record, result)
        ? { action: "skip" }
        : afterTombstones(result, model);
    },
  };
  const { transform } = model;
  const all = transform === undefined ? steps : transformingStep(steps, transform, expressions.sandbox);
  return withRequests(all, model);
};
