/** The text, or its beginning and an ellipsis: what others send may quote whatever was sent to them. */
export const cut = (text: string, longest = 1000): string =>
  text.length <= longest ? text : `${text.slice(0, longest).replace(/[\ud800-\udbff]$/, "")}…`;
