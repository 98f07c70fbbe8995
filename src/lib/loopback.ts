/** Hosts of this machine, and the URLs that nobody on the network can change on the way. */

/** As `URL.hostname` returns it. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export const isLoopback = (hostname: string): boolean => LOOPBACK.test(hostname);

/** True for an `https:` URL, and for an `http:` URL of a loopback host. False for a URL with a user or a password. */
export const isProtectedUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
};
