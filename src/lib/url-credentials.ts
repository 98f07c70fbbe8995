/** Finds and masks credentials in URLs: user and password, and query parameters with the name of a credential. */

const NAME =
  /auth|cookie|token|secret|password|passwd|credential|signature|api[-_]?key|access[-_]?key|^(key|sig|pwd|pass)$/i;
const USERINFO = /^(\s*[a-z]+:[\\/]*)([^\\/?#]*)@/i;
const QUERY_PARAMETER = /([?&])([^=&#\s?]+)=([^&#\s"']*)/g;

/** True if a header or query parameter of this name holds a credential. */
export const isCredentialName = (name: string): boolean => NAME.test(name);

const mapQuery = (raw: string, parameter: (name: string, value: string) => string): string =>
  raw.replace(QUERY_PARAMETER, (whole: string, mark: string, name: string, value: string) =>
    isCredentialName(name) ? `${mark}${name}=${parameter(name, value)}` : whole,
  );

/** The URL with each of its credentials replaced. */
export const mapUrlCredentials = (
  raw: string,
  userinfo: (value: string) => string,
  parameter: (name: string, value: string) => string,
): string =>
  mapQuery(
    raw.replace(USERINFO, (_, scheme: string, value: string) => `${scheme}${userinfo(value)}@`),
    parameter,
  );

export const maskUrlCredentials = (raw: string, mask: string): string =>
  mapUrlCredentials(
    raw,
    () => mask,
    () => mask,
  );

/** Masks the query parameters of all URLs in a text. */
export const maskQueryCredentials = (text: string, mask: string): string => mapQuery(text, () => mask);
