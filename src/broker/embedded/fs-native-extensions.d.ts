declare module "fs-native-extensions" {
  /** Takes an exclusive lock on the open file; false: somebody else has it. */
  export const tryLock: (fd: number) => boolean;
}
