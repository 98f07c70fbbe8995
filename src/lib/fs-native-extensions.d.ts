declare module "fs-native-extensions" {
  /** Takes an exclusive lock on the open file; false: another process holds it. */
  export const tryLock: (fd: number) => boolean;
}
