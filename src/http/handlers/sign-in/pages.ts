/** Pages that go on to another address by themselves. They have no script and need none. */
import { escapeHtml } from "../../../lib/html.ts";

interface GoOn {
  readonly title: string;
  /** What has happened. */
  readonly text: string;
  /** A path of this origin, or a URL. It begins with no quote. */
  readonly to: string;
  /** Text of the link, for browsers that don't go on by themselves. */
  readonly link: string;
}

const goOnPage = ({ title, text, to, link }: GoOn): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta http-equiv="refresh" content="0; url=${escapeHtml(to)}" />
    <title>${escapeHtml(title)}</title>
    <link rel="icon" href="/console/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/console/style.css" />
    <link rel="stylesheet" href="/console/forms.css" />
    <link rel="stylesheet" href="/console/content.css" />
  </head>
  <body class="door">
    <main>
      <h1><img src="/console/icon.svg" alt="" width="32" height="32" /> Stationgate</h1>
      <p>${escapeHtml(text)}</p>
      <p><a href="${escapeHtml(to)}">${escapeHtml(link)}</a></p>
    </main>
  </body>
</html>
`;

/**
 * The answer to the callback. A redirect would not do: after a redirect from another site a browser leaves out the session cookie,
 * which is SameSite=Strict.
 */
export const signedInPage = (name: string, to: string): string =>
  goOnPage({
    title: "Signed in to Stationgate",
    text: `Signed in as ${name}.`,
    to,
    link: "Continue to the console",
  });

/** A redirect would not do: the policy of the console's pages lets no form end at another site. */
export const signedOutPage = (to: string): string =>
  goOnPage({
    title: "Signed out of Stationgate",
    text: "Signed out of Stationgate.",
    to,
    link: "Continue to the identity provider to sign out there too",
  });

/** The link of the sign-in page. `returnTo`: the path that the browser asked for. */
export const providerLink = (label: string, returnTo: string): string => {
  const query = returnTo === "/" ? "" : `?${new URLSearchParams({ return: returnTo }).toString()}`;
  return `<p class="provider"><a href="${escapeHtml(`/session/oidc${query}`)}">Sign in with ${escapeHtml(label)}</a></p>`;
};
