/** The system's name of a failed call (`ENOENT`), where the error has one. Looks at no class: errors come from other realms. */
export const errnoOf = (error: unknown): string | undefined => {
  const code: unknown =
    typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
};
