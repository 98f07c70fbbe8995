/** The page's visibility, and the events of leaving it and of a returned network. */
import { tried } from "./guard.ts";

export const isHidden = (): boolean => tried(() => document.visibilityState) === "hidden";

/** Listens to the page's events, and returns a function that stops it. `unload` is not used, because browsers often don't fire it. */
export const watchPage = (onLeave: () => void, onOnline: () => void): (() => void) => {
  const onChange = (): void => {
    if (isHidden()) onLeave();
  };
  const each = (method: "addEventListener" | "removeEventListener"): void => {
    tried(() => {
      self[method]("pagehide", onLeave);
      self[method]("online", onOnline);
      document[method]("visibilitychange", onChange);
    });
  };
  each("addEventListener");
  return () => {
    each("removeEventListener");
  };
};
