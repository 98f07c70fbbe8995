/** The `Accept` header of a read: the content types in which the client takes the records. */
import { type AcceptedType, V2_TYPE } from "../../../../consume/instances/requests.ts";

const FORMAT_TYPE = /^application\/vnd\.kafka\.([a-z]+)\.v2\+json$/;
const ANY: readonly string[] = ["*/*", "application/*"];

/** The types in the order of preference; the home takes the first one that fits the instance. */
export const acceptedTypes = (header: string | undefined): readonly AcceptedType[] => {
  if (header === undefined || header.trim() === "") return [{ type: V2_TYPE }];
  return header
    .split(",")
    .map(rangeOf)
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .flatMap(({ type }) => typeOf(type));
};

const rangeOf = (text: string) => {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const quality = Number(parameters.find((one) => one.startsWith("q="))?.slice(2) ?? 1);
  return { type, quality: Number.isNaN(quality) ? 1 : quality };
};

const typeOf = (type: string): readonly AcceptedType[] => {
  if (ANY.includes(type)) return [{ type: V2_TYPE }];
  if (type === V2_TYPE || type === "application/json") return [{ type }];
  const [, format] = FORMAT_TYPE.exec(type) ?? [];
  return format === undefined ? [] : [{ type, format }];
};
