/** The sign-in page: the link to the identity provider also keeps the part of the address that browsers don't send. */

const link = /** @type {HTMLAnchorElement | null} */ (document.querySelector(".provider a"));
if (link !== null && location.hash !== "") {
  const { pathname, search, hash } = location;
  const own = pathname.startsWith("/session") ? "/" : pathname + search;
  link.search = new URLSearchParams({ return: own + hash }).toString();
}
