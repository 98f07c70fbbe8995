/** Names of stations, as the Memphis broker accepts them. */
import { GatewayError } from "../errors.ts";

const MAX_LENGTH = 128;

const invalid = (message: string): GatewayError => new GatewayError("STATION_NAME_INVALID", { message });

/**
 * The station's name from a path segment (percent-decoded): ASCII letters are lower-cased, no others. Throws
 * STATION_NAME_INVALID with Memphis' words, of which length comes first, then characters, then the ends; ROUTE_UNKNOWN
 * where there is no name at all.
 */
export const parseStationName = (raw: string): string => {
  const name = raw.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (name === "") throw new GatewayError("ROUTE_UNKNOWN");
  if (name.length > MAX_LENGTH) throw invalid("Station should be under 128 characters");
  if (!/^[a-z0-9_.-]*$/.test(name)) {
    throw invalid("Only alphanumeric and the '_', '-', '.' characters are allowed in Station");
  }
  if (!/^[a-z0-9](.*[a-z0-9])?$/.test(name)) {
    throw invalid("Station name can not start or end with non alphanumeric character");
  }
  return name;
};

/** Would this very text, not its lower-cased form, pass as a station's name? */
export const isStationName = (text: string): boolean =>
  /^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/.test(text) && text.length <= MAX_LENGTH;
